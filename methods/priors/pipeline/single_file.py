"""From a checkpoint in one file to a folder in diffusers' layout, by diffusers' own converter."""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open

from methods.priors.pipeline.component_files import check_types, weights_files
from methods.priors.pipeline.folder import INDEX, check_pipeline, family_in, files_in, small_files
from methods.priors.pipeline.json_file import read_json
from methods.priors.pipeline.networks import load_network, network_class, save_network
from methods.weights import WeightsError

# isort: split
import diffusers
from diffusers.loaders.single_file_utils import SingleFileComponentError, fetch_diffusers_config
from diffusers.utils import logging

#: Precisions by safetensors' names, the widest last.
_TYPES = {"F16": torch.float16, "BF16": torch.bfloat16, "F32": torch.float32, "F64": torch.float32}
_CLIP = ("cond_stage_model.", "conditioner.embedders.", "text_encoders.clip_")
#: Beginnings of the names that the weights of a component have in one file, by the component's class.
_PREFIXES = {
    "AutoencoderKL": ("first_stage_model.", "vae."),
    "CLIPTextModel": _CLIP,
    "CLIPTextModelWithProjection": _CLIP,
    "T5EncoderModel": ("text_encoders.t5xxl.",),
}


def convert_checkpoint(checkpoint: Path, like: Path, folder: Path) -> None:
    """Write a checkpoint as a pipeline, in the precision that its weights have.

    Args:
        checkpoint: A ``.safetensors`` file whose tensors have the names that the model was published with.
        like: A pipeline's folder: its configurations, tokenizers and noise levels become the new one's, and so does an
            autoencoder or a text encoder that the checkpoint lacks.
        folder: The folder to write into.

    Raises:
        WeightsError: If ``like`` is of a kind that is not published in one file, the checkpoint's weights do not fit
            its configurations, or neither has a component.
    """
    classes, family, names = check_pipeline(like, str(like)), family_in(like), files_in(like)
    index = read_json(like / INDEX)
    kind = getattr(diffusers, str(index.get("_class_name")), None)
    if not hasattr(kind, "from_single_file"):
        raise WeightsError(f"{like}: pipelines of its kind are not published in one file; name another with --like")
    tensors, precision = _describe(checkpoint)
    given: dict[str, Any] = {name: None for name in classes if name not in {*family.components, "scheduler"}}
    for name in family.networks():
        prefixes = _PREFIXES.get(classes[name], ())
        if name != family.network and not any(tensor.startswith(prefixes) for tensor in tensors):
            weights_files(names, name, f"{checkpoint}: has no {name}, and neither has {like}")
            given[name] = load_network(network_class(classes[name]), like / name, precision)
    logging.disable_progress_bar()
    verbosity = logging.get_verbosity()
    logging.set_verbosity_error()  # it warns of an empty list of layers to be kept in float32
    try:
        pipeline = kind.from_single_file(  # type: ignore[union-attr]
            str(checkpoint), config=str(like), local_files_only=True, torch_dtype=precision, **given
        )
    except (SingleFileComponentError, ValueError, RuntimeError, LookupError, AttributeError, OSError) as error:
        why = " ".join(str(error).split())[:200] or type(error).__name__
        raise WeightsError(f"{checkpoint}: its weights do not fit the configurations of {like} ({why})") from error
    finally:
        logging.set_verbosity(verbosity)
    for name in family.networks():
        save_network(getattr(pipeline, name), folder / name)
    for name in small_files(names, str(like)):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(like / name, folder / name)
    read = {"scheduler", *family.components}
    kept = {name: value for name, value in index.items() if not isinstance(value, list) or name in read}
    (folder / INDEX).write_text(json.dumps(kept, indent=2) + "\n", encoding="utf-8")


def base_repository(checkpoint: Path) -> str:
    """The repository on the hub with the model that a checkpoint was made from, as diffusers guesses it.

    Raises:
        WeightsError: If the file cannot be read.
    """
    check_types(checkpoint)
    with safe_open(checkpoint, framework="pt") as file:
        return str(fetch_diffusers_config(_Tensors(file))["pretrained_model_name_or_path"])


class _Tensors(dict[str, Any]):
    """The tensors of an open file by name, each read when it is asked for."""

    def __init__(self, file: Any) -> None:
        super().__init__(dict.fromkeys(file.keys()))
        self.file = file

    def __getitem__(self, name: str) -> Any:
        return self.file.get_tensor(name)


def _describe(checkpoint: Path) -> tuple[Collection[str], torch.dtype]:
    """The names of a checkpoint's tensors, and the widest precision of its matrices; a schedule's vectors are wider."""
    check_types(checkpoint)
    with safe_open(checkpoint, framework="pt") as file:
        names = list(file.keys())
        slices = [file.get_slice(name) for name in names]
        found = {each.get_dtype() for each in slices if len(each.get_shape()) > 1} & set(_TYPES)
    if {"F16", "BF16"} <= found:  # neither holds the other's values
        return names, torch.float32
    return names, _TYPES[max(found, key=list(_TYPES).index, default="F32")]

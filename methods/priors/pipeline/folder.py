"""The files of a diffusers pipeline that a prior reads, and the check that it can be used as a prior."""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from methods.weights import CARD, WeightsError, combined_sha256, verify_weights
from methods.weights_file import check_file

INDEX = "model_index.json"
PATCH_CODEC = "patch_codec.safetensors"

#: Classes that each component may have.
_CLASSES = {
    "unet": ("UNet2DConditionModel",),
    "vae": ("AutoencoderKL", "PatchCodec"),
    "text_encoder": ("CLIPTextModel",),
    "tokenizer": ("CLIPTokenizer", "CLIPTokenizerFast"),
}
#: File names of each component's weights, without the ending.
_STEMS = {
    "unet": ("diffusion_pytorch_model",),
    "vae": ("diffusion_pytorch_model", "patch_codec"),
    "text_encoder": ("model",),
}
_SMALL = [INDEX, "scheduler/scheduler_config.json", *(f"{name}/config.json" for name in _STEMS)]
#: Files that a tokenizer may have.
TOKENIZER = ["vocab.json", "merges.txt", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"]
_PICKLES = (".bin", ".ckpt", ".pt", ".pth")
#: Inputs of other families' UNets, which a prior cannot provide.
_FURTHER_INPUTS = ("addition_embed_type", "class_embed_type", "encoder_hid_dim_type", "num_class_embeds",
                   "time_cond_proj_dim")  # fmt: skip
_SHARD = re.compile(r"-\d{5}-of-\d{5}\.safetensors$|\.safetensors\.index\.json$")
_PREDICTIONS = ("epsilon", "v_prediction", "sample")


def small_files(names: Collection[str], where: str) -> list[str]:
    """The files that describe a pipeline, and those of its tokenizer.

    Args:
        names: Paths of all files, with ``/``.
        where: Beginning of an error's message.

    Raises:
        WeightsError: If a file is missing.
    """
    for name in _SMALL:
        if name not in names:
            raise WeightsError(
                f"{where}: no {name}, so it is not a pipeline of Stable Diffusion's family in diffusers' format"
            )
    tokenizer = [f"tokenizer/{name}" for name in TOKENIZER if f"tokenizer/{name}" in names]
    if not {"tokenizer/vocab.json", "tokenizer/merges.txt"} <= set(names) and "tokenizer/tokenizer.json" not in names:
        raise WeightsError(f"{where}: no tokenizer/vocab.json with merges.txt, and no tokenizer/tokenizer.json")
    return [*_SMALL, *tokenizer]


def needed_files(names: Collection[str], where: str) -> list[str]:
    """The files of a pipeline that a prior reads: safetensors only, in full precision if there is a choice.

    Raises:
        WeightsError: If a file is missing, or there are only pickles, which can run code when they are read.
    """
    return [*small_files(names, where), *(f"{name}/{weights_file(names, name, where)}" for name in _STEMS)]


def weights_file(names: Collection[str], component: str, where: str) -> str:
    """The file of a component's weights: full precision before half.

    Raises:
        WeightsError: If there is none in safetensors.
    """
    for ending in (".safetensors", ".fp16.safetensors"):
        for stem in _STEMS[component]:
            if f"{component}/{stem}{ending}" in names:
                return stem + ending
    expected = f"{component}/{_STEMS[component][0]}.safetensors"
    present = [name for name in sorted(names) if name.startswith(f"{component}/") and ".safetensors" in name]
    if any(_SHARD.search(name) for name in present):
        raise WeightsError(
            f"{where}: {component} is in several shards, which are not read; load it with diffusers and write it again "
            'with save_pretrained(FOLDER, max_shard_size="100GB")'
        )
    if present:
        raise WeightsError(
            f"{where}: no {expected}, but {', '.join(present)}; rename the file that is to be used to {expected}"
        )
    if any(name.startswith(f"{component}/") and name.endswith(_PICKLES) for name in names):
        raise WeightsError(
            f"{where}: only pickled weights in {component}, and they can run code when they are read; "
            f"take a repository with {expected}"
        )
    raise WeightsError(f"{where}: no {expected}")


def files_in(folder: Path) -> list[str]:
    """Paths of all files of a folder, relative to it, with ``/``."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def pipeline_sha256(folder: Path) -> str:
    """One SHA-256 over a pipeline's files: those its card names, checked, or without a card those that are read.

    Raises:
        WeightsError: If a file is missing, is not what its name says, or differs from the one that the card names.
    """
    sha256 = verify_weights(folder) if (folder / CARD).is_file() else None
    names = needed_files(files_in(folder), str(folder))
    for name in names:
        check_file(folder / name)
    return sha256 or combined_sha256(folder, names)


def check_pipeline(folder: Path, where: str) -> dict[str, str]:
    """Check that the small files describe a pipeline that can be used as a prior.

    Returns:
        The class of each component by the component's name.

    Raises:
        WeightsError: If they do not; the message is one line that says what is expected.
    """
    index = read_json(folder / INDEX)
    found = {name: str(value[1]) for name, value in index.items() if isinstance(value, list) and value[1] is not None}
    pipeline = index.get("_class_name", "pipeline")
    if "text_encoder_2" in found or "transformer" in found:
        raise WeightsError(f"{where}: {pipeline} does not belong to Stable Diffusion 1's or 2's family")
    for name, right in _CLASSES.items():
        if found.get(name) not in right:
            raise WeightsError(f"{where}: {pipeline} has {found.get(name, 'nothing')} as {name}; it must be {right[0]}")
    unet, vae = read_json(folder / "unet" / "config.json"), read_json(folder / "vae" / "config.json")
    for name in _FURTHER_INPUTS:
        if unet.get(name) is not None:
            raise WeightsError(f"{where}: the UNet's {name} = {unet[name]!r} needs an input that a prior does not have")
    if not isinstance(unet.get("sample_size"), int):
        raise WeightsError(f"{where}: the UNet's sample_size = {unet.get('sample_size')!r} must be one whole number")
    if unet.get("in_channels", 4) != vae.get("latent_channels", 4):
        raise WeightsError(
            f"{where}: the UNet takes {unet.get('in_channels', 4)} channels and the latents have "
            f"{vae.get('latent_channels', 4)}; inpainting and depth models cannot be used as priors"
        )
    _check_scheduler(read_json(folder / "scheduler" / "scheduler_config.json"), where)
    return found


def read_json(path: Path) -> dict[str, Any]:
    """Read a JSON object from a file.

    Raises:
        WeightsError: If the file does not hold one.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        if path.is_file():
            check_file(path)  # says what it is instead
        raise WeightsError(f"{path}: cannot be read as JSON ({error})") from None
    if not isinstance(content, dict):
        raise WeightsError(f"{path}: is not a JSON object")
    return content


def is_flow(scheduler: dict[str, Any]) -> bool:
    """Whether a scheduler's configuration is a rectified flow's."""
    return scheduler.get("_class_name") == "FlowMatchEulerDiscreteScheduler"


def _check_scheduler(config: dict[str, Any], where: str) -> None:
    if is_flow(config):
        return
    if "beta_schedule" not in config and config.get("trained_betas") is None:
        name = config.get("_class_name")
        raise WeightsError(
            f"{where}: the scheduler {name} has no beta_schedule, so it does not belong to discrete diffusion"
        )
    predicts = config.get("prediction_type", "epsilon")
    if predicts not in _PREDICTIONS:
        raise WeightsError(f"{where}: prediction_type {predicts!r} is not one of {', '.join(_PREDICTIONS)}")
    if config.get("rescale_betas_zero_snr"):
        raise WeightsError(
            f"{where}: rescale_betas_zero_snr leaves no signal at the last timestep; methods divide by it"
        )

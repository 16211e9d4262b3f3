"""Networks from the folders of a pipeline, with no weight left at random."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError

import methods.torchvision_shim  # noqa: F401  (before diffusers and transformers)

# isort: split
import diffusers
import transformers
from diffusers.utils import logging as diffusers_logging
from transformers.utils import logging as transformers_logging

from methods.atomic import replace_file
from methods.priors.pipeline.component_files import weights_files
from methods.priors.pipeline.folder import files_in
from methods.weights import WeightsError

#: Classes that published pipelines name, and the one that reads their files now.
_RENAMED = {"Transformer2DModel": "PixArtTransformer2DModel"}


def network_class(name: str) -> Any:
    """The class of diffusers or transformers with the name ``name``."""
    name = _RENAMED.get(name, name)
    return getattr(diffusers, name) if hasattr(diffusers, name) else getattr(transformers, name)


def load_network(network: Any, folder: Path, dtype: torch.dtype) -> Any:
    """A network of diffusers or transformers, on the CPU, in ``dtype``, from safetensors.

    Args:
        network: The class of the network.
        folder: The component's folder.
        dtype: The precision to load it in.

    Raises:
        WeightsError: If a file cannot be read, or does not contain a weight of the configuration; the libraries
            would draw it at random.
    """
    names = [f"{folder.name}/{name}" for name in files_in(folder)]
    variant = weights_files(names, folder.name, str(folder)).variant
    # each library has its own name for the precision, and warns about the other's
    precision = {"dtype" if network.__module__.startswith("transformers.") else "torch_dtype": dtype}
    verbosity = transformers_logging.get_verbosity()
    transformers_logging.set_verbosity_error()  # old files have unused buffers; missing weights raise below
    for library in (transformers_logging, diffusers_logging):
        library.disable_progress_bar()  # the run's own progress is what matters
    try:
        loaded, info = network.from_pretrained(
            folder, variant=variant, use_safetensors=True, local_files_only=True, output_loading_info=True, **precision
        )
    except (OSError, ValueError, RuntimeError, KeyError, SafetensorError) as error:
        why = " ".join(str(error).split())[:200]
        raise WeightsError(f"{folder}: cannot be loaded as {network.__name__} ({why})") from error
    finally:
        transformers_logging.set_verbosity(verbosity)
    # diffusers does not report weights that no shard of the index holds, and leaves them without values
    empty = {name for name, value in loaded.named_parameters() if value.is_meta}
    if missing := sorted({*info["missing_keys"], *empty}):
        raise WeightsError(f"{folder}: lacks {len(missing)} of {network.__name__}'s weights, such as {missing[0]}")
    return loaded


def save_network(network: Any, folder: Path) -> None:
    """Write a network's configuration and weights, in the precision that it has, as ``load_network`` reads them.

    Raises:
        OSError: If the folder cannot be written in.
    """
    diffusers_logging.disable_progress_bar()
    transformers_logging.disable_progress_bar()
    network.save_pretrained(folder)
    for path in folder.glob("*.safetensors"):  # which save_pretrained lets only their owner read
        with replace_file(path) as temporary:
            shutil.copyfile(path, temporary)

"""A trial of a pipeline's files: each is loaded as a run loads it, one after the other, and let go."""

from __future__ import annotations

from pathlib import Path

import torch

import methods.torchvision_shim  # noqa: F401  (before diffusers and transformers)

# isort: split
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextModel

from methods.priors.pipeline.folder import check_pipeline
from methods.priors.pipeline.networks import load_network
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.priors.pipeline.prompt_reader import PromptReader


def open_pipeline(folder: Path) -> None:
    """Load tokenizer and networks of a pipeline, on the CPU in half precision, to see whether they can be.

    Args:
        folder: The pipeline folder.

    Raises:
        WeightsError: If a file cannot be read, or its weights are not those that the configuration describes.
    """
    classes = check_pipeline(folder, str(folder))
    PromptReader(folder)
    load_network(CLIPTextModel, folder / "text_encoder", torch.float16)
    if classes["vae"] == "PatchCodec":
        PatchCodec.load(folder / "vae")
    else:
        load_network(AutoencoderKL, folder / "vae", torch.float16)
    load_network(UNet2DConditionModel, folder / "unet", torch.float16)

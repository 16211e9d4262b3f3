"""The codec of a pipeline, by the class of its autoencoder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

from methods.priors.pipeline.codec import Codec
from methods.priors.pipeline.families.family import Family
from methods.priors.pipeline.half_precision import without_overflow
from methods.priors.pipeline.patch_codec import PatchCodec
from methods.priors.pipeline.pixel_codec import PixelCodec
from methods.priors.pipeline.settings import PipelineSettings
from methods.priors.pipeline.vae_codec import VaeCodec


def load_codec(folder: Path, family: Family, settings: PipelineSettings, load: Callable[..., Any]) -> Codec:
    """The codec of the pipeline in ``folder``.

    Args:
        folder: The pipeline folder.
        family: Its family.
        settings: Device, precision and posterior.
        load: Loads a network by the component's name, in a precision.

    Raises:
        WeightsError: If its files cannot be read.
    """
    if "vae" not in family.components:
        return PixelCodec()
    if "patch" in family.configs["vae"]:
        return PatchCodec.load(folder / "vae", settings.device)
    dtype = codec_precision(family, settings.dtype)
    vae = load("vae", dtype).to(memory_format=torch.channels_last)
    return VaeCodec(without_overflow(vae, family.resolution), settings.posterior)


def codec_precision(family: Family, dtype: torch.dtype) -> torch.dtype:
    """The precision of the autoencoder of a pipeline whose networks run in ``dtype``.

    SDXL's overflows in float16, and its configuration says so; it runs in float32, or in bfloat16 as the networks do.
    """
    upcast = family.upcasts_codec and family.configs["vae"].get("force_upcast", True)
    return torch.float32 if upcast and dtype == torch.float16 else dtype

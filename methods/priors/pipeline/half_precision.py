"""An autoencoder in a precision that it does not overflow in.

Stable Diffusion's runs in float16 on most images and cards; some (SDXL's, and any on cards whose half-precision
convolutions are broken) give infinity or NaN.  Small gradients are kept by ``gradient_scale``; the scene and its own
gradients are float32.
"""

from __future__ import annotations

import logging
from typing import Any

import torch
from torch import Tensor

_LOGGER = logging.getLogger("sdibench")


@torch.no_grad()
def without_overflow(vae: Any, side: int) -> Any:
    """The autoencoder as it is, or in bfloat16 or float32 if its encoder overflows in float16, with a warning.

    Args:
        vae: On the device to run it on.
        side: Side of the images that it will encode, pixels.
    """
    if vae.dtype != torch.float16 or _encodes(vae, side):
        return vae
    for dtype in (torch.bfloat16, torch.float32):
        vae = vae.to(dtype)
        if _encodes(vae, side):
            break
    _LOGGER.warning("the autoencoder overflows in float16 on this device; it runs in %s", str(vae.dtype)[6:])
    return vae


def _encodes(vae: Any, side: int) -> bool:
    """Whether images as bright, as dark and as noisy as they come have finite latents."""
    noise = torch.rand(1, 3, side, side, generator=torch.Generator().manual_seed(0)).round()
    flat = torch.ones(1, 3, side, side)
    images = 2 * torch.cat([noise, flat, 0 * flat]) - 1
    for image in images.split(1):
        encoded = vae.encode(image.to(vae.device, vae.dtype))
        latents: Tensor = encoded.latents if hasattr(encoded, "latents") else encoded.latent_dist.mean
        if not bool(latents.isfinite().all()):
            return False
    return True

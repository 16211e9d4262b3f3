"""Degradations of an image, each with a strength in [0, 1] where 0 leaves it unchanged.

They give the scorers' training its ground truth: which of two images is worse, and the word for it.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor


def blur(rgb: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Blur images ``(b 3 h w)`` by a Gaussian with a standard deviation up to 1/16 of the side."""
    sigma = max(strength * rgb.shape[-1] / 16, 1e-3)
    reach = max(1, math.ceil(2.5 * sigma))
    steps = torch.arange(-reach, reach + 1, dtype=rgb.dtype)
    kernel = torch.exp(-0.5 * (steps / sigma) ** 2)
    kernel = (kernel / kernel.sum()).expand(3, 1, -1)
    padded = torch.nn.functional.pad(rgb, (reach,) * 4, mode="replicate")
    across = torch.nn.functional.conv2d(padded, kernel[:, :, None, :], groups=3)
    return torch.nn.functional.conv2d(across, kernel[:, :, :, None], groups=3)


def noise(rgb: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Add Gaussian noise with a standard deviation up to 0.35."""
    return (rgb + 0.35 * strength * torch.randn(rgb.shape, generator=generator)).clamp(0, 1)


def dull(rgb: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Pull colour and contrast towards the image's mean grey."""
    grey = rgb.mean(dim=1, keepdim=True)
    faded = 0.35 * grey + 0.65 * grey.mean(dim=(2, 3), keepdim=True)
    return torch.lerp(rgb, faded.expand_as(rgb), 0.9 * strength)


def warp(rgb: Tensor, strength: float, generator: torch.Generator) -> Tensor:
    """Move pixels by a smooth random field, up to a fifth of the side."""
    count, _, height, width = rgb.shape
    coarse = torch.randn(count, 2, 6, 6, generator=generator)
    field = torch.nn.functional.interpolate(coarse, (height, width), mode="bicubic", align_corners=False)
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    grid = torch.stack([x, y], dim=-1)[None] + 0.4 * strength * field.permute(0, 2, 3, 1)
    return torch.nn.functional.grid_sample(rgb, grid, padding_mode="border", align_corners=True)


#: Degradations by the names that ``captions.BAD_WORDS`` uses.
DEGRADATIONS: dict[str, Callable[[Tensor, float, torch.Generator], Tensor]] = {
    "blur": blur,
    "noise": noise,
    "dull": dull,
    "warp": warp,
}

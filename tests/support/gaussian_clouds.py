"""Random Gaussians for the tests of rasterisers."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.scenes.gaussians.rasterisers.rasteriser import Cloud, Rasterised


def random_cloud(
    seed: int, count: int, *, channels: int = 5, spread: float = 0.5, size: float = 0.05, most: float = 0.8, **to: Any
) -> tuple[Tensor, ...]:
    """Means, scales, quaternions, opacities of at most ``most`` and values, each a leaf with a gradient."""
    draws = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draws, dtype=torch.float64)

    parts = (
        spread * draw(count, 3),
        (math.log(size) + 0.5 * draw(count, 3)).exp(),
        draw(count, 4),
        most * draw(count).sigmoid(),
        draw(count, channels),
    )
    return tuple(part.to(**to).requires_grad_() for part in parts)


def draw_with(draw: Any, parts: tuple[Tensor, ...], cameras: Cameras, resolution: int) -> Rasterised:
    """What ``draw`` (a rasteriser's) makes of the parts, with the same values for every camera."""
    *cloud, values = parts
    return draw(Cloud(*cloud), values.expand(len(cameras), -1, -1), cameras, resolution)


def gradients(drawn: Rasterised, parts: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    """The gradients of a random sum over the images in the parts and in the centres."""
    images = torch.cat([drawn.sums, drawn.opacity], dim=1)
    weights = torch.rand(images.shape, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    return torch.autograd.grad((images * weights.to(images)).sum(), (*parts, drawn.centres))

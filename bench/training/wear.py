"""Degradations that the toybox's scorers are trained on: the marks of a NeRF's render, and known damage.

Scorers that have seen clean images alone judge renders by what all renders share.  Wear is light, has no
word in the captions and must not change a score much; damage is strong, has words, and must.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from prompts.toybox import DEGRADATIONS

#: The kinds of damage; columns of every table of strengths.
DAMAGE = tuple(DEGRADATIONS)

_BLUR = DAMAGE.index("blur")
_PLAIN_SHARE = 0.4  # of the backgrounds
_HALVING_BLUR = 0.2  # going down to 32 pixels and up again is as soft as a blur of this strength
_SOFTNESS = 0.2  # so is a mean over 3 × 3 pixels
_GROUP = 8  # neighbours that are damaged in the same way, since a degradation takes one strength


class Worn(NamedTuple):
    """Images with wear or damage."""

    rgb: Tensor  # (b 3 h w) in [0, 1]
    strengths: Tensor  # (b, number of DAMAGE), in [0, 1]


def random_backgrounds(count: int, generator: torch.Generator) -> Tensor:
    """Grey levels ``(count,)`` in [0.5, 1], white (the evaluation's) for a share of them."""
    grey = 0.5 + 0.5 * torch.rand(count, generator=generator)
    return torch.where(torch.rand(count, generator=generator) < _PLAIN_SHARE, torch.ones(count), grey)


def wear(rgb: Tensor, background: Tensor, generator: torch.Generator) -> Worn:
    """Light faults, each on about half of the images ``(b 3 h w)`` over ``background`` ``(b,)``.

    Moved and scaled, partly transparent, off in colour, misty, slightly soft.
    """
    count = len(rgb)

    def amount(low: float, high: float, neutral: float, *shape: int) -> Tensor:
        drawn = low + (high - low) * torch.rand(count, *shape, 1, 1, generator=generator)
        chosen = torch.rand(count, *(1 for _ in shape), 1, 1, generator=generator) < 0.5
        return torch.where(chosen, drawn, torch.full_like(drawn, neutral))

    ground = background[:, None, None, None]
    rgb = _moved(rgb - ground, amount(0.85, 1.2, 1.0, 1), amount(-0.12, 0.12, 0.0, 2)) + ground
    rgb = torch.lerp(ground.expand_as(rgb), rgb, amount(0.75, 1.0, 1.0, 1))
    grey = rgb.mean(dim=1, keepdim=True)
    rgb = torch.lerp(grey.expand_as(rgb), rgb, amount(0.75, 1.35, 1.0, 1))
    rgb = rgb * amount(0.88, 1.12, 1.0, 3) + amount(-0.05, 0.05, 0.0, 1)
    mist = torch.randn(count, 1, 6, 6, generator=generator)
    mist = functional.interpolate(mist, rgb.shape[-2:], mode="bilinear").clamp_min(0) * amount(0.0, 0.12, 0.0, 1)
    rgb = torch.lerp(rgb, torch.rand(count, 3, 1, 1, generator=generator).expand_as(rgb), mist.clamp_max(1))
    softness = amount(0.0, 1.0, 0.0, 1)
    soft = functional.avg_pool2d(rgb, 3, stride=1, padding=1, count_include_pad=False)
    rgb = torch.lerp(rgb, soft, softness)
    halved = torch.rand(count, 1, 1, 1, generator=generator) < 0.3
    small = functional.interpolate(rgb, scale_factor=0.5, mode="bilinear", antialias=True)
    rgb = torch.where(halved, functional.interpolate(small, rgb.shape[-2:], mode="bilinear"), rgb)
    strengths = torch.zeros(count, len(DAMAGE))
    strengths[:, _BLUR] = torch.maximum(_SOFTNESS * softness, _HALVING_BLUR * halved).flatten()
    return Worn(rgb.clamp(0, 1), strengths)


def damage(worn: Worn, rng: np.random.Generator, generator: torch.Generator, *, least: float, share: float) -> Worn:
    """Damage of one random kind each, stronger than ``least``, on about a ``share`` of the images."""
    rgb, strengths = worn.rgb.clone(), worn.strengths.clone()
    for start in range(0, len(rgb), _GROUP):
        some = slice(start, start + _GROUP)
        kind, strength, chosen = int(rng.integers(len(DAMAGE))), float(rng.uniform(least, 1.0)), rng.random() < share
        if chosen:
            rgb[some] = DEGRADATIONS[DAMAGE[kind]](rgb[some], strength, generator)
            strengths[some, kind] = strengths[some, kind].clamp_min(strength)
    return Worn(rgb, strengths)


def _moved(rgb: Tensor, scale: Tensor, shift: Tensor) -> Tensor:
    """Scaled and shifted images, 0 where nothing was; ``scale`` (b 1 1 1), ``shift`` (b 2 1 1) of half a side."""
    matrix = torch.cat([torch.eye(2)[None] / scale[:, 0], shift[:, :, 0]], dim=-1)
    grid = functional.affine_grid(matrix, list(rgb.shape), align_corners=False)
    return functional.grid_sample(rgb, grid, align_corners=False)

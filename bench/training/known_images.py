"""Render the three images whose scores a suite's file can state; see ``metrics.models.known_images``.

python -m bench.training.known_images
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import tyro
from PIL import Image
from scipy.ndimage import gaussian_filter

from methods.cameras import evaluation_ring
from methods.pixels import to_bytes
from prompts.toybox import ToyObject, develop, trace

_SIDE, _SUPERSAMPLE = 128, 2
_VIEW, _RING = 1, 12  # 30 degrees from the front

#: The damage: share of grey, levels that are darker, noise in levels, and then the blur in pixels.
_GREY, _DARKER, _NOISE, _BLUR = 0.7, 40.0, 40.0, 3.0


@dataclass(frozen=True)
class Options:
    """Output."""

    out: Path = Path("metrics/weights/known_images")
    """The folder of the PNG files."""


def render_known_images() -> Iterator[tuple[str, np.ndarray]]:
    """Yield names and images, uint8 ``(h w 3)`` over white."""
    clean = _render(ToyObject("car", "red", "striped"))
    noise = np.random.default_rng(0).normal(0.0, _NOISE, clean.shape)
    dull = (1 - _GREY) * clean + _GREY * clean.mean(axis=-1, keepdims=True) - _DARKER + noise
    yield "object", clean
    yield "degraded", gaussian_filter(dull.clip(0, 255), (_BLUR, _BLUR, 0.0)).round().astype(np.uint8)
    yield "other", _render(ToyObject("duck", "blue", "plain"))


def _render(toy: ToyObject) -> np.ndarray:
    rays = evaluation_ring(_RING).rays(_SUPERSAMPLE * _SIDE)
    shown = develop(trace(toy.kind, rays.origins[_VIEW], rays.directions[_VIEW]), toy, _SUPERSAMPLE)
    return to_bytes(shown.over(1.0).permute(1, 2, 0))


def main(options: Options) -> None:
    """Write the files."""
    options.out.mkdir(parents=True, exist_ok=True)
    for name, rgb in render_known_images():
        Image.fromarray(rgb).save(options.out / f"{name}.png", optimize=True)


if __name__ == "__main__":
    main(tyro.cli(Options, description=__doc__))

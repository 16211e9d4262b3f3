"""A handful of toybox images, small enough to render while a test waits."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from bench.training.dataset import ToyImages
from methods.cameras import evaluation_ring
from prompts.toybox import ToyObject, all_objects, develop, is_held_out, trace


@pytest.fixture(scope="session")
def images() -> ToyImages:
    """Front and back of a duck in all its 28 paints."""
    rays = evaluation_ring(2).rays(64)
    toys = [toy for toy in all_objects() if toy.kind == "duck"]
    seen = []
    for origins, directions in zip(rays.origins, rays.directions, strict=True):
        surface = trace("duck", origins, directions)
        seen += [_rgba(surface, toy) for toy in toys]
    toy = np.array([all_objects().index(toy) for toy in toys] * 2)
    sides = np.repeat([0, 1], len(toys))
    return ToyImages(
        rgba=np.stack(seen),
        toy=toy,
        azimuth_deg=180.0 * sides,
        elevation_deg=np.full(len(toy), 15.0),
        view=2 * sides,
        held_out=np.array([is_held_out(all_objects()[number]) for number in toy]),
    )


def _rgba(surface: object, toy: ToyObject) -> np.ndarray:
    image = develop(surface, toy, 1)  # type: ignore[arg-type]
    rgba: np.ndarray = (torch.cat([image.rgb, image.opacity]).permute(1, 2, 0) * 255).round().byte().numpy()
    return rgba

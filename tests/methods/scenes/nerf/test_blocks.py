"""Deferred back-propagation: the same pixels and gradients as in one piece."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.nerf.backgrounds.environment_map import EnvironmentMap
from methods.scenes.nerf.blocks import cut, samples_in, samples_in_memory
from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.materials.point_light import PointLight
from methods.scenes.nerf.nerf import NeRF
from methods.scenes.nerf.normals import NormalSettings
from methods.scenes.nerf.penalties import PenaltyWeights

PENALTIES = PenaltyWeights(orient=1.0, sparsity=1.0, opaque=1.0, convex=1.0, z_variance=1.0)
LIT = PointLight(albedo_until=0.0, lit_share=1.0, textureless_share=0.0)
SCENES: dict[str, dict[str, Any]] = {
    "default": {},
    "penalties": {"penalties": PENALTIES},
    "lit": {"penalties": PENALTIES, "material": LIT, "background": EnvironmentMap(), "networks": "separate"},
    "analytic": {
        "penalties": PENALTIES, "material": LIT, "encoding": HashGrid(),
        "normals": NormalSettings(kind="analytic", weight=0.0),
    },
}  # fmt: skip


def step(settings: dict[str, Any], at_once: int | None) -> tuple[list[torch.Tensor], list[torch.Tensor]]:
    """The pixels of a training render, and the gradient of a loss on all of them in each parameter."""
    scene = NeRF(marching=OccupancyMarching(56), samples_at_once=at_once, **settings)
    nerf = scene.build(GaussianPrior(), torch.Generator().manual_seed(0))
    nerf.before_step(0.3)
    rendering = nerf.render(
        evaluation_ring(2), resolution=12, background=torch.full((2, 3), 0.4),
        generator=torch.Generator().manual_seed(1), training=True, outputs=("normals",),
    )  # fmt: skip
    assert rendering.normals is not None
    loss = rendering.rgb.square().sum() + rendering.depth.sum() + rendering.normals[:, 0].sum()
    loss = loss + sum(nerf.regularisation(rendering, 0.3).values(), torch.zeros(()))
    gradients = torch.autograd.grad(loss, [value for value in nerf.parameters() if value.requires_grad])
    return [*rendering[:4], *rendering.penalties.values()], list(gradients)


@pytest.mark.parametrize("at_once", [1, 100])
@pytest.mark.parametrize("settings", SCENES.values(), ids=SCENES)
def test_blocks_change_neither_pixels_nor_gradients(settings: dict[str, Any], at_once: int) -> None:
    whole, slopes = step(settings, None)
    parts, gradients = step(settings, at_once)
    for found, expected in zip(parts, whole, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)
    for found, expected in zip(gradients, slopes, strict=True):
        size = torch.linalg.vector_norm(expected)
        assert size > 0
        assert torch.linalg.vector_norm(found - expected) <= 1e-5 * size


def test_an_evaluation_in_blocks_is_the_same() -> None:
    images = []
    for at_once in (None, 50):
        nerf = NeRF(samples_at_once=at_once).build(GaussianPrior(), torch.Generator().manual_seed(0))
        with torch.no_grad():
            images.append(nerf.render(evaluation_ring(2), resolution=8, background=torch.ones(2, 3)).rgb)
    torch.testing.assert_close(*images)


def test_changed_parameters_are_refused() -> None:
    nerf = NeRF(samples_at_once=50).build(GaussianPrior(), torch.Generator().manual_seed(0))
    rendering = nerf.render(evaluation_ring(1), resolution=8, background=torch.ones(1, 3))
    with torch.no_grad():
        for parameter in nerf.field.parameters():
            parameter.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        rendering.rgb.sum().backward()


@pytest.mark.parametrize(
    ("counts", "at_once", "ends"),
    [
        ([3, 3, 3], 6, [(0, 2), (2, 3)]),
        ([9, 1, 1], 2, [(0, 1), (1, 3)]),
        ([0, 0, 2, 0], 1, [(0, 2), (2, 3), (3, 4)]),
        ([0, 0], 5, [(0, 2)]),
    ],
)
def test_blocks_hold_as_many_rays_as_fit(counts: list[int], at_once: int, ends: list[tuple[int, int]]) -> None:
    blocks = cut(torch.tensor(counts), at_once)
    assert [(block.rays.start, block.rays.stop) for block in blocks] == ends
    firsts = [0, *torch.tensor(counts).cumsum(0).tolist()]
    assert [(block.samples.start, block.samples.stop) for block in blocks] == [
        (firsts[first], firsts[last]) for first, last in ends
    ]


def test_the_default_depends_on_the_memory_that_the_device_has(monkeypatch: pytest.MonkeyPatch) -> None:
    class Memory:
        total = 16 * 2**30

    monkeypatch.setattr("psutil.virtual_memory", Memory)
    for backend in (None, "torch", "tinycudann"):
        assert samples_in_memory(torch.device("cpu"), backend) == 2 * 2**30 // 10_500
    assert samples_in_memory(torch.device("cpu"), "triton") == 2 * 2**30 // 3_000
    assert samples_in(150 * 2**30, "triton") == 4_000_000  # 12 GB

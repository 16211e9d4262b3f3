"""The quadrature against integrals with a closed form."""

from __future__ import annotations

import math

import pytest
import torch

from methods.scenes.nerf.marching.quadrature import accumulate, transmittance, weights
from methods.scenes.nerf.marching.samples import Samples
from methods.scenes.nerf.marching.steps import march
from methods.scenes.nerf.occupancy import OccupancyGrid, OccupancySettings


def line(strata: int) -> Samples:
    """One ray along the diameter of the unit ball, from distance 2 to 4, and one that misses it."""
    occupancy = OccupancyGrid(OccupancySettings(4, decay=0.5, threshold=0.1), radius=1.0, samples_per_unit=1.0)
    origins, directions = torch.tensor([[3.0, 0, 2], [3, 0, 0]]), torch.tensor([[-1.0, 0, 0], [-1, 0, 0]])
    return march(origins, directions, occupancy, step=2 / strata, steps=strata, jitter=None)


@pytest.mark.parametrize("sigma", [0.0, 0.3, 2.0, 100.0])
def test_a_slab_of_constant_density(sigma: float) -> None:
    samples = line(20)
    weight = weights(torch.full((20,), sigma), samples)
    missed, opacity = accumulate(weight[:, None], samples)[:, 0].tolist()
    assert missed == 0
    assert opacity == pytest.approx(1 - math.exp(-sigma * 2), abs=1e-6)


def test_expected_depth_of_a_slab() -> None:
    samples, sigma = line(1000), 2.0
    weight = weights(torch.full((1000,), sigma), samples)
    depth = (weight * samples.distances).sum() / weight.sum()
    # mean of the exponential distribution cut off after 2 world units
    expected = 2 + 1 / sigma - 2 / math.expm1(2 * sigma)
    assert depth.item() == pytest.approx(expected, abs=1e-3)


def test_light_is_dimmed_by_what_stands_before_only() -> None:
    samples = line(4)
    light = transmittance(torch.tensor([0.0, 4.0, 0.0, 1.0]), samples)
    torch.testing.assert_close(light, torch.tensor([1.0, 1.0, math.exp(-2), math.exp(-2)]))


def test_left_out_samples_are_empty_space() -> None:
    samples = line(6)
    density = torch.tensor([1.0, 0.0, 3.0, 0.0, 0.5, 2.0])
    kept = density.nonzero()[:, 0]
    torch.testing.assert_close(weights(density[kept], samples.select(kept)), weights(density, samples)[kept])


def test_gradients_are_those_of_the_formula() -> None:
    samples = line(5)
    doubled = Samples(
        *(part.double() if torch.is_tensor(part) and part.is_floating_point() else part for part in samples)
    )
    density = torch.tensor([0.1, 2.0, 0.0, 1.0, 3.0], dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda sigma: accumulate(weights(sigma, doubled)[:, None], doubled), density)
    assert torch.autograd.gradcheck(lambda sigma: weights(sigma, doubled), density)

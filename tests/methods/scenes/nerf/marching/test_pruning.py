"""The samples that show, against nerfacc's own rule."""

from __future__ import annotations

import importlib.util
import math

import pytest
import torch

from methods.scenes.nerf.marching.pruning import LEAST_LIGHT, LEAST_OPACITY, visible
from methods.scenes.nerf.marching.quadrature import accumulate, weights
from methods.scenes.nerf.marching.samples import Samples
from methods.scenes.nerf.occupancy import OccupancyGrid, OccupancySettings

STEP, RAYS, STEPS = 0.05, 40, 30


def occupancy(density: float) -> OccupancyGrid:
    """A grid of which every cell remembers ``density``."""
    grid = OccupancyGrid(OccupancySettings(4), radius=1.0, samples_per_unit=1 / STEP)
    grid.density.fill_(density)
    return grid


def samples() -> Samples:
    """Every step of some rays."""
    ray = torch.arange(RAYS).repeat_interleave(STEPS)
    stratum = torch.arange(STEPS).repeat(RAYS)
    distances = STEP * (stratum + 0.5)
    points = torch.stack([ray.float(), torch.zeros(len(ray)), distances], dim=1)
    return Samples(points, ray, stratum, distances, torch.full_like(distances, STEP), (RAYS, STEPS))


def random_density() -> torch.Tensor:
    """From far below the bound on the opacity to far beyond what any light passes."""
    return 10 ** (5 * torch.rand(RAYS * STEPS, generator=torch.Generator().manual_seed(0)) - 3)


@pytest.mark.skipif(importlib.util.find_spec("nerfacc") is None, reason="nerfacc is not installed")
@pytest.mark.parametrize("mean", [1e-3, 100.0])
def test_the_rule_is_nerfacc_s(mean: float) -> None:
    from nerfacc import render_visibility_from_density

    density, edges = random_density().view(RAYS, STEPS), STEP * torch.arange(STEPS + 1.0).expand(RAYS, -1)
    seen = render_visibility_from_density(
        edges[:, :-1], edges[:, 1:], density, early_stop_eps=LEAST_LIGHT, alpha_thre=min(LEAST_OPACITY, mean * STEP)
    )
    kept = visible(samples(), density.flatten(), occupancy(mean), STEP)
    assert torch.equal(kept.ray * STEPS + kept.stratum, seen.flatten().nonzero()[:, 0])
    assert 0.1 < seen.float().mean() < 0.9


def test_what_is_left_out_does_not_show() -> None:
    density, everything = random_density(), samples()
    kept = visible(everything, density, occupancy(100.0), STEP)
    left = density[kept.ray * STEPS + kept.stratum]
    whole = accumulate(weights(density, everything)[:, None], everything)
    pruned = accumulate(weights(left, kept)[:, None], kept)
    assert (whole - pruned).max() < 1 - (1 - LEAST_OPACITY) ** STEPS + LEAST_LIGHT
    assert (whole - pruned).min() > -1e-6


def test_a_thin_scene_keeps_what_is_above_its_mean() -> None:
    thin = LEAST_OPACITY / STEP / 10
    density = torch.tensor([0.9, 1.1]).repeat(RAYS * STEPS // 2) * thin
    kept = visible(samples(), density, occupancy(thin), STEP)
    assert set(kept.stratum.tolist()) == set(range(1, STEPS, 2))


def test_a_density_that_is_not_a_number_is_kept() -> None:
    density = torch.zeros(RAYS * STEPS)
    density[3] = math.nan
    assert 3 in visible(samples(), density, occupancy(1.0), STEP).stratum[:30].tolist()


def test_nothing_stays_nothing() -> None:
    kept = visible(samples(), torch.zeros(RAYS * STEPS), occupancy(1.0), STEP)
    assert len(kept.ray) == 0
    assert len(visible(kept, torch.zeros(0), occupancy(1.0), STEP).ray) == 0

"""Samples along rays: their positions, and those that are left out."""

from __future__ import annotations

import pytest
import torch

from methods.scenes.nerf.marching.packed import march
from methods.scenes.nerf.occupancy import OccupancyGrid, OccupancySettings

# Through the centre, past the ball, off the centre, and from inside the ball.
ORIGINS = torch.tensor([[3.0, 0, 0], [3, 0, 2], [3, 0, 0.6], [0, 0, 0]])
DIRECTIONS = torch.tensor([[-1.0, 0, 0], [-1, 0, 0], [-1, 0, 0], [0, 1, 0]])
CHORDS = {0: (2.0, 4.0), 2: (2.2, 3.8), 3: (0.0, 1.0)}


def occupancy() -> OccupancyGrid:
    return OccupancyGrid(OccupancySettings(8, decay=0.5, threshold=0.1), radius=1.0, samples_per_unit=1.0)


def test_middles_of_equal_strata_of_each_chord() -> None:
    samples = march(ORIGINS, DIRECTIONS, occupancy(), strata=10, generator=None)
    assert samples.ray.unique().tolist() == list(CHORDS)
    for ray, (near, far) in CHORDS.items():
        mine = samples.ray == ray
        width = (far - near) / 10
        torch.testing.assert_close(samples.distances[mine], near + width * (torch.arange(10) + 0.5))
        torch.testing.assert_close(samples.widths[mine], torch.full((10,), width))
    on_rays = ORIGINS[samples.ray] + DIRECTIONS[samples.ray] * samples.distances[:, None]
    torch.testing.assert_close(samples.points, on_rays)


def test_jitter_stays_in_its_stratum_and_comes_from_the_generator() -> None:
    def jittered(seed: int) -> torch.Tensor:
        rays = torch.Generator().manual_seed(seed)
        return march(ORIGINS[:1], DIRECTIONS[:1], occupancy(), strata=50, generator=rays).distances

    within = (jittered(0) - 2.0) / (2.0 / 50) - torch.arange(50)
    assert ((within >= -1e-4) & (within <= 1 + 1e-4)).all()
    assert within.mean() == pytest.approx(0.5, abs=0.15)
    assert torch.equal(jittered(0), jittered(0))
    assert not torch.equal(jittered(0), jittered(1))


def test_only_occupied_cells_have_samples() -> None:
    grid = occupancy()
    everywhere = march(ORIGINS, DIRECTIONS, grid, strata=10, generator=None)
    grid.occupied[:4] = False  # x < 0
    half = march(ORIGINS, DIRECTIONS, grid, strata=10, generator=None)
    kept = (everywhere.points[:, 0] >= 0).nonzero()[:, 0]
    for found, expected in zip(half, everywhere.select(kept), strict=True):
        assert torch.equal(torch.as_tensor(found), torch.as_tensor(expected))

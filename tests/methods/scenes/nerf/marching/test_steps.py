"""Steps along rays: their positions, and the empty ones that are left out."""

from __future__ import annotations

import pytest
import torch

from methods.scenes.nerf.marching.steps import march
from methods.scenes.nerf.occupancy import OccupancyGrid, OccupancySettings

# Through the centre, past the ball, off the centre, and from inside the ball.
ORIGINS = torch.tensor([[3.0, 0, 0], [3, 0, 2], [3, 0, 0.6], [0, 0, 0]])
DIRECTIONS = torch.tensor([[-1.0, 0, 0], [-1, 0, 0], [-1, 0, 0], [0, 1, 0]])
CHORDS = {0: (2.0, 4.0), 2: (2.2, 3.8), 3: (0.0, 1.0)}


def occupancy() -> OccupancyGrid:
    return OccupancyGrid(OccupancySettings(8, decay=0.5, threshold=0.1), radius=1.0, samples_per_unit=1.0)


def test_middles_of_equal_steps_through_each_chord() -> None:
    samples = march(ORIGINS, DIRECTIONS, occupancy(), step=0.2, steps=10, generator=None)
    assert samples.ray.unique().tolist() == list(CHORDS)
    for ray, (near, far) in CHORDS.items():
        mine = samples.ray == ray
        middles = near + 0.2 * (torch.arange(10) + 0.5)
        torch.testing.assert_close(samples.distances[mine], middles[middles < far])
        assert samples.stratum[mine].tolist() == list(range(int(mine.sum())))
    assert (samples.widths == 0.2).all()
    on_rays = ORIGINS[samples.ray] + DIRECTIONS[samples.ray] * samples.distances[:, None]
    torch.testing.assert_close(samples.points, on_rays)


def test_jitter_moves_a_ray_by_up_to_a_step_and_comes_from_the_generator() -> None:
    many = ORIGINS[:1].expand(200, -1), DIRECTIONS[:1].expand(200, -1)

    def jittered(seed: int) -> torch.Tensor:
        rays = torch.Generator().manual_seed(seed)
        samples = march(*many, occupancy(), step=0.04, steps=50, generator=rays)
        first = samples.distances[samples.stratum == 0]
        torch.testing.assert_close(samples.distances, first[samples.ray] + 0.04 * samples.stratum)
        return (first - 2.02) / 0.04

    assert ((jittered(0) >= -1e-4) & (jittered(0) <= 1 + 1e-4)).all()
    assert jittered(0).mean() == pytest.approx(0.5, abs=0.1)
    assert torch.equal(jittered(0), jittered(0))
    assert not torch.equal(jittered(0), jittered(1))


def test_only_occupied_cells_have_samples() -> None:
    grid = occupancy()
    everywhere = march(ORIGINS, DIRECTIONS, grid, step=0.2, steps=10, generator=None)
    grid.occupied[:4] = False  # x < 0
    half = march(ORIGINS, DIRECTIONS, grid, step=0.2, steps=10, generator=None)
    kept = (everywhere.points[:, 0] >= 0).nonzero()[:, 0]
    for found, expected in zip(half, everywhere.select(kept), strict=True):
        assert torch.equal(torch.as_tensor(found), torch.as_tensor(expected))

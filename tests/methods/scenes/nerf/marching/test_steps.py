"""Steps along rays: their positions, and the empty ones that are left out."""

from __future__ import annotations

import pytest
import torch

from methods.scenes.nerf.marching.steps import TorchMarcher, march
from methods.scenes.nerf.occupancy import OccupancyGrid, OccupancySettings

# Through the centre, past the ball, off the centre, and from inside the ball.
ORIGINS = torch.tensor([[3.0, 0, 0], [3, 0, 2], [3, 0, 0.6], [0, 0, 0]])
DIRECTIONS = torch.tensor([[-1.0, 0, 0], [-1, 0, 0], [-1, 0, 0], [0, 1, 0]])
CHORDS = {0: (2.0, 4.0), 2: (2.2, 3.8), 3: (0.0, 1.0)}


def occupancy() -> OccupancyGrid:
    return OccupancyGrid(OccupancySettings(8, decay=0.5, threshold=0.1), radius=1.0, samples_per_unit=1.0)


def test_middles_of_equal_steps_through_each_chord() -> None:
    samples = march(ORIGINS, DIRECTIONS, occupancy(), step=0.2, steps=10, jitter=None)
    assert samples.ray.unique().tolist() == list(CHORDS)
    for ray, (near, far) in CHORDS.items():
        mine = samples.ray == ray
        middles = near + 0.2 * (torch.arange(10) + 0.5)
        torch.testing.assert_close(samples.distances[mine], middles[middles < far])
        assert samples.stratum[mine].tolist() == list(range(int(mine.sum())))
    assert (samples.widths == 0.2).all()
    on_rays = ORIGINS[samples.ray] + DIRECTIONS[samples.ray] * samples.distances[:, None]
    torch.testing.assert_close(samples.points, on_rays)


def test_jitter_moves_the_steps_of_each_ray_by_a_share_of_a_step() -> None:
    jitter = torch.tensor([0.25, 0.5, 0.0, 0.75])
    samples = march(ORIGINS, DIRECTIONS, occupancy(), step=0.04, steps=50, jitter=jitter)
    near = torch.tensor([2.0, 0, 2.2, 0])
    expected = near[samples.ray] + 0.04 * (samples.stratum + 0.5 + jitter[samples.ray])
    torch.testing.assert_close(samples.distances, expected)
    assert samples.ray.unique().tolist() == list(CHORDS)


def test_many_rays_are_marched_in_parts_as_if_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    marcher, jitter = TorchMarcher(25.0, 1.0), torch.rand(4, generator=torch.Generator().manual_seed(0))

    def ball(points: torch.Tensor) -> torch.Tensor:
        return 20.0 * (points.norm(dim=-1) < 0.7)

    whole = marcher.march(ORIGINS, DIRECTIONS, occupancy(), ball, jitter)
    monkeypatch.setattr("methods.scenes.nerf.marching.steps.STEPS_AT_ONCE", 100)  # two rays of 50 steps
    parts = marcher.march(ORIGINS, DIRECTIONS, occupancy(), ball, jitter)
    assert len(whole.ray) > 20
    for found, expected in zip(parts, whole, strict=True):
        assert torch.equal(torch.as_tensor(found), torch.as_tensor(expected))


def test_only_occupied_cells_have_samples() -> None:
    grid = occupancy()
    everywhere = march(ORIGINS, DIRECTIONS, grid, step=0.2, steps=10, jitter=None)
    grid.occupied[:4] = False  # x < 0
    half = march(ORIGINS, DIRECTIONS, grid, step=0.2, steps=10, jitter=None)
    kept = (everywhere.points[:, 0] >= 0).nonzero()[:, 0]
    for found, expected in zip(half, everywhere.select(kept), strict=True):
        assert torch.equal(torch.as_tensor(found), torch.as_tensor(expected))

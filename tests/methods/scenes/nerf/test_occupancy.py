"""The occupancy grid keeps dense cells, forgets empty ones, and never hides a broken field."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods.scenes.nerf.occupancy import OccupancyGrid, OccupancySettings


def grid() -> OccupancyGrid:
    settings = OccupancySettings(resolution=16, decay=0.5, threshold=0.1)
    return OccupancyGrid(settings, radius=1.0, samples_per_unit=1.0)


def ball(points: Tensor) -> Tensor:
    return 5.0 * (points.norm(dim=-1) < 0.4)


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_everything_is_occupied_before_the_first_update() -> None:
    assert grid().contains(torch.tensor([[0.0, 0, 0], [0.99, 0.99, -0.99]])).all()


def test_keeps_what_is_dense_with_a_rim_of_one_cell() -> None:
    occupancy = grid()
    occupancy.update(ball, generator())
    points = torch.rand(2000, 3, generator=generator()) * 2 - 1
    distance, found = points.norm(dim=-1), occupancy.contains(points)
    cell = 2 / 16
    assert found[distance < 0.4].all()  # jitter may miss a cell that the ball only grazes, but never the rim with it
    assert not found[distance > 0.4 + 2 * 3**0.5 * cell].any()


def test_the_axes_are_those_of_the_points() -> None:
    occupancy = grid()
    occupancy.update(lambda points: ball(3 * (points - torch.tensor([0.6, -0.3, 0.1]))), generator())
    assert occupancy.contains(torch.tensor([[0.6, -0.3, 0.1], [0.1, -0.3, 0.6], [-0.3, 0.6, 0.1]])).tolist() == [
        True,
        False,
        False,
    ]


def test_forgets_what_has_gone() -> None:
    occupancy, before, after = grid(), torch.tensor([[0.0, 0, 0]]), torch.tensor([[0.7, 0, 0]])
    occupancy.update(ball, generator())
    assert occupancy.contains(torch.cat([before, after])).tolist() == [True, False]
    for _ in range(6):  # 5 · 0.5^6 < 0.1
        occupancy.update(lambda points: 10 * ball(1.5 * (points - after)), generator())
    assert occupancy.contains(torch.cat([before, after])).tolist() == [False, True]


def test_a_thin_scene_is_not_culled_whole() -> None:
    occupancy = grid()
    occupancy.update(lambda points: 1e-4 * ball(points), generator())
    assert occupancy.contains(torch.zeros(1, 3)).all()


def test_a_field_that_is_not_a_number_is_not_hidden() -> None:
    occupancy = grid()
    occupancy.update(lambda points: ball(points) * float("nan"), generator())
    assert occupancy.contains(torch.zeros(1, 3)).all()


@pytest.mark.parametrize(("field", "value"), [("resolution", 0), ("decay", 1.0), ("threshold", 0.0)])
def test_refuses_bad_settings(field: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value} is not"):
        OccupancySettings(**{field: value})

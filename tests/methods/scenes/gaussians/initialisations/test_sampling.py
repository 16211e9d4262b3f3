from __future__ import annotations

import pytest
import torch
from scipy.stats import kstest

from methods.scenes.gaussians.initialisations.initialisation import Points
from methods.scenes.gaussians.initialisations.sampling import choose_on_triangles, resample


def draws() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def cloud(count: int) -> Points:
    positions = torch.rand(count, 3, generator=torch.Generator().manual_seed(1))
    return Points(positions, positions)  # the colour says which point it was


def test_more_points_than_wanted_are_taken_once_each() -> None:
    given = cloud(50)
    found = resample(given, 20, draws())
    rows = {tuple(row) for row in given.positions.tolist()}
    assert len({tuple(row) for row in found.positions.tolist()}) == 20
    assert {tuple(row) for row in found.positions.tolist()} <= rows
    assert torch.equal(found.rgb, found.positions)
    assert not torch.equal(found.positions, given.positions[:20])  # not the first ones of the file


def test_the_same_number_is_all_of_them() -> None:
    given = cloud(50)
    assert torch.equal(resample(given, 50, draws()).positions.sort(0).values, given.positions.sort(0).values)


def test_fewer_points_than_wanted_are_repeated_as_often_and_moved_a_little() -> None:
    given = cloud(50)
    found = resample(given, 170, draws())
    sources = (found.rgb[:, None] == given.positions[None]).all(-1).int()
    assert (sources.sum(1) == 1).all()
    assert set(sources.sum(0).tolist()) == {3, 4}
    assert len(found.positions.unique(dim=0)) == 170
    moved = (found.positions - found.rgb).norm(dim=1)
    assert (moved == 0).sum() == 50
    assert 0.01 < moved[moved > 0].mean() < 0.3  # neighbours are 0.2 apart


def test_one_point_is_enough() -> None:
    found = resample(Points(torch.zeros(1, 3)), 10, draws())
    assert len(found.positions.unique(dim=0)) == 10
    assert found.rgb is None


def test_places_are_even_over_the_area() -> None:
    """A unit square of a large and a small triangle, and one without an area."""
    corners = torch.tensor(
        [
            [[0.0, 0, 0], [1, 0, 0], [0, 1, 0]],
            [[0.5, 0.5, 0], [0.5, 0.5, 0], [0.5, 0.5, 0]],
            [[1.0, 1, 0], [1, 0, 0], [0, 1, 0]],
        ]
    )
    chosen, weights = choose_on_triangles(corners, 3000, draws())
    assert weights.sum(1).numpy() == pytest.approx(1)
    assert float(weights.min()) >= 0
    assert torch.bincount(chosen, minlength=3).tolist() == [1500, 0, 1500]  # stratified: to the point
    places = (weights[:, :, None] * corners[chosen]).sum(1)
    for axis in (0, 1):
        assert kstest(places[:, axis], "uniform").pvalue > 0.01


def test_the_same_generator_gives_the_same_places() -> None:
    corners = torch.rand(9, 3, 3, generator=torch.Generator().manual_seed(2))
    one, other = (choose_on_triangles(corners, 100, draws()) for _ in range(2))
    assert torch.equal(one[0], other[0])
    assert torch.equal(one[1], other[1])

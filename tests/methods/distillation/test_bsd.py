"""The balance of BSD's two directions; its equation is in test_rivals.py."""

from __future__ import annotations

import pytest
import torch
from closed_form_world import GivenNoise, World

from methods.distillation.bsd import shortest


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        ([1.0, 0.0], [0.0, 1.0], [0.5, 0.5]),  # in conflict: the middle
        ([1.0, 0.0], [3.0, 0.0], [1.0, 0.0]),  # one is all of the other: the shorter
        ([3.0, 1.0], [1.0, 0.0], [1.0, 0.0]),
        ([1.0, 1.0], [1.0, 1.0], [1.0, 1.0]),  # no line between them
        ([2.0, 0.0], [-1.0, 0.0], [0.0, 0.0]),  # opposite: they cancel
    ],
)
def test_the_shortest_vector_between_two(first: list[float], second: list[float], expected: list[float]) -> None:
    shaped = [torch.tensor(values).double().reshape(1, 2, 1, 1) for values in (first, second, expected)]
    torch.testing.assert_close(shortest(*shaped[:2]), shaped[2])


def test_a_view_s_update_does_not_depend_on_the_other_views() -> None:
    world = World(1)
    before = world.run("bsd", inversion=GivenNoise(world.noise))
    world.noise[1:] *= 3.0
    after = world.run("bsd", inversion=GivenNoise(world.noise))
    assert (before[0] == after[0]).all()
    assert (before[1] != after[1]).any()

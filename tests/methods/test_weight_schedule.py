"""Schedules of weights."""

from __future__ import annotations

import pytest

from methods.weight_schedule import require_schedule, weight_at


@pytest.mark.parametrize(
    ("progress", "weight"), [(0.0, 2.0), (0.2, 2.0), (0.4, 1.5), (0.5, 1.25), (0.6, 1.0), (1.0, 1.0)]
)
def test_linear_between_and_constant_outside(progress: float, weight: float) -> None:
    assert weight_at((0.2, 2.0, 1.0, 0.6), progress) == pytest.approx(weight)


def test_a_number_is_constant() -> None:
    assert weight_at(3, 0.7) == 3.0


@pytest.mark.parametrize("schedule", [-1.0, (0.5, 1, 0, 0.5), (0, -1, 0, 1)])
def test_refuses_a_malformed_schedule(schedule: float | tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match=r"orient: .* is not"):
        require_schedule("orient", schedule)

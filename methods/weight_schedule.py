"""Weights that change over an optimisation."""

from __future__ import annotations

from methods.settings import require

#: A weight for the whole optimisation, or ``(from, start, end, until)``: linear from ``start`` to ``end`` while
#: progress runs from ``from`` to ``until``, constant before and after (threestudio's order, in progress not steps).
WeightSchedule = float | tuple[float, float, float, float]


def weight_at(schedule: WeightSchedule, progress: float) -> float:
    """The weight at ``progress`` in [0, 1]."""
    if isinstance(schedule, (int, float)):
        return float(schedule)
    begin, start, end, until = schedule
    fraction = min(max((progress - begin) / (until - begin), 0.0), 1.0)
    return start + (end - start) * fraction


def require_schedule(field: str, schedule: WeightSchedule) -> None:
    """Refuse a malformed schedule.

    Raises:
        ValueError: If it is neither a weight nor four numbers with ``from < until``, or has a negative weight.
    """
    if isinstance(schedule, (int, float)):
        require(schedule >= 0, field, schedule, "zero or a positive weight")
        return
    right = schedule[0] < schedule[3] and min(schedule[1:3]) >= 0
    require(right, field, schedule, "a weight, or [from, start, end, until] with from < until and no negative weight")

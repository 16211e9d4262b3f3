"""A number with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

from reports.statistics.interval import Interval


@dataclass(frozen=True)
class Estimate:
    """What the data say about one number."""

    value: float | None
    """The estimate; None where no prompt has a value."""
    interval: Interval
    """Its confidence interval, or why there is none."""
    n: int
    """Number of prompts behind it."""

"""A number with its uncertainty."""

from __future__ import annotations

from dataclasses import dataclass

from reports.statistics.interval import Interval


@dataclass(frozen=True)
class Estimate:
    """An estimate of one number."""

    value: float | None
    """The estimate; None if no prompt has a value."""
    interval: Interval
    """The confidence interval, or the reason why there is none."""
    n: int
    """Number of prompts that it is computed from."""

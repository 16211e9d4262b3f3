"""A confidence interval at ``LEVEL``, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """Lower and upper bound, or a reason why the data do not determine them.

    An interval without a width is refused: it would claim a certainty that no resampling of prompts can give.

    Raises:
        ValueError: If only one bound is given, the bounds do not enclose anything, or there are neither bounds nor a
            reason.
    """

    low: float | None = None
    """Lower bound, in the unit of the estimate."""
    high: float | None = None
    """Upper bound, in the unit of the estimate."""
    reason: str = ""
    """Reason for missing bounds; empty if there are bounds."""

    def __post_init__(self) -> None:
        if self.low is None and self.high is None:
            if not self.reason:
                raise ValueError("interval: has neither bounds nor a reason for their absence")
            return
        if self.low is None or self.high is None or self.reason:
            raise ValueError("interval: needs both bounds and no reason, or no bound and a reason")
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(f"interval: [{self.low}, {self.high}] encloses nothing")

    @property
    def known(self) -> bool:
        """Whether there are bounds."""
        return self.low is not None

    def contains(self, value: float) -> bool | None:
        """Say whether ``value`` lies within the bounds (both included); None without bounds."""
        if self.low is None or self.high is None:
            return None
        return self.low <= value <= self.high

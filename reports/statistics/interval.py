"""A confidence interval, or the reason why there is none."""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Interval:
    """Bounds that belong together; without them the data cannot tell, and ``reason`` says why.

    An interval of no width is never made: it would claim a certainty that no resampling of prompts can give.

    Raises:
        ValueError: If only one bound is given, the bounds do not enclose anything, or neither bounds nor reason are.
    """

    low: float | None = None
    """Lower bound, in the unit of the estimate."""
    high: float | None = None
    """Upper bound, in the unit of the estimate."""
    level: float = 0.95
    """Confidence level, in (0, 1)."""
    reason: str = ""
    """Why there are no bounds; empty where there are."""

    def __post_init__(self) -> None:
        if not 0 < self.level < 1:
            raise ValueError(f"interval: level is {self.level}, must lie in (0, 1)")
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
        """Whether ``value`` lies within the bounds (both included); None where there are none."""
        if self.low is None or self.high is None:
            return None
        return self.low <= value <= self.high

"""The result of a test, or the reason why there is none."""

from __future__ import annotations

from dataclasses import dataclass

from reports.statistics.constants import ALPHA


@dataclass(frozen=True)
class PValue:
    """Two-sided p-value of a test, or the reason why there is none."""

    p: float | None
    """p-value in (0, 1]; None if the data do not determine one."""
    n: int
    """Number of prompts in the test."""
    exact: bool = True
    """Whether all outcomes were enumerated, rather than sampled."""
    reason: str = ""
    """Reason for a missing p-value; empty if there is one."""


def is_significant(p: float | None) -> bool:
    """Whether there is a p-value, corrected or not, and it is at most ``ALPHA``."""
    return p is not None and p <= ALPHA

"""The number of prompts below which no test can have a verdict."""

from __future__ import annotations

import math

from reports.statistics.constants import ALPHA
from reports.statistics.values import MIN_PROMPTS


def least_p(prompts: int, comparisons: int) -> float:
    """Return the smallest p of a sign-flip test after Holm: all prompts differ in the same direction.

    Args:
        prompts: Number of prompts, the units of the test.
        comparisons: Number of tests in the family.
    """
    return min(1.0, comparisons * 2.0 ** (1 - prompts))


def fewest_prompts(comparisons: int) -> int:
    """Return the smallest number of prompts with which ``least_p`` is at most ``ALPHA`` and means have intervals."""
    return max(MIN_PROMPTS, 1 + math.ceil(math.log2(max(1, comparisons) / ALPHA)))

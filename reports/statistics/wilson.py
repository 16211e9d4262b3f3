"""Wilson's interval of a share of counts."""

from __future__ import annotations

from functools import cache

from scipy import stats

from reports.statistics.constants import LEVEL
from reports.statistics.interval import Interval


@cache
def wilson_interval(count: int, total: int) -> Interval:
    """Compute Wilson's score interval of ``count`` of ``total``, in [0, 1]; it has a width at both ends too.

    The counted things must be independent: prompts, or one cell per prompt, but not views.

    Raises:
        ValueError: If ``count`` is not in [0, ``total``].
    """
    if not 0 <= count <= total:
        raise ValueError(f"wilson_interval: count is {count}, must lie in [0, {total}]")
    if total == 0:
        return Interval(reason="nothing was counted")
    low, high = stats.binomtest(count, total).proportion_ci(LEVEL, method="wilson")
    return Interval(float(low), float(high))

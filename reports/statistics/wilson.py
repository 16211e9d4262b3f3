"""How sure a share of counted things is."""

from __future__ import annotations

from scipy import stats

from reports.statistics.interval import Interval


def wilson_interval(count: int, total: int, *, level: float = 0.95) -> Interval:
    """Wilson's score interval of ``count`` of ``total``, in [0, 1]; it has a width at 0 and at all of them too.

    The things must be independent: prompts, or one cell of each, but not views.

    Raises:
        ValueError: If ``count`` is not in [0, ``total``].
    """
    if not 0 <= count <= total:
        raise ValueError(f"wilson_interval: count is {count}, must lie in [0, {total}]")
    if total == 0:
        return Interval(level=level, reason="nothing was counted")
    low, high = stats.binomtest(count, total).proportion_ci(level, method="wilson")
    return Interval(float(low), float(high), level)

"""The smallest difference that a study of a given size can detect."""

from __future__ import annotations

import math
from functools import cache

from scipy import optimize, stats

from reports.statistics.constants import ALPHA, POWER


def minimum_detectable_difference(sd: float, prompts: int) -> float | None:
    """Compute the smallest true mean difference that a two-sided paired t-test at ``ALPHA`` detects with ``POWER``.

    The noncentral t distribution is solved for the power.  The usual planning formula (z₁₋α⁄₂ + z_power) · SD / √n is
    smaller, by 2 % at n = 43 and by 20 % at n = 6.

    Args:
        sd: Standard deviation over prompts of the paired differences.
        prompts: Number of pairs.

    Returns:
        The difference in the unit of ``sd``; None below two prompts or without a spread.
    """
    if prompts < 2 or not math.isfinite(sd) or sd <= 0:
        return None
    return _noncentrality(prompts - 1) * sd / math.sqrt(prompts)


@cache
def _noncentrality(freedom: int) -> float:
    """Return the mean, in standard errors, that a two-sided t-test with ``freedom`` degrees detects with ``POWER``."""
    critical = float(stats.t.ppf(1 - ALPHA / 2, freedom))

    def missing(shift: float) -> float:
        return float(stats.ncf.sf(critical**2, 1, freedom, shift**2)) - POWER  # T² is F

    return float(optimize.brentq(missing, 1e-3, 2 * critical + 3))

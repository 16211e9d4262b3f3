"""The share of prompts for which something holds."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reports.statistics.bootstrap import prompt_bootstrap
from reports.statistics.constants import RESAMPLES
from reports.statistics.estimate import Estimate
from reports.statistics.interval import Interval
from reports.statistics.values import observed, prompt_means, why_unknown
from reports.statistics.wilson import wilson_interval


def share(holds: ArrayLike, rng: np.random.Generator | int, *, resamples: int = RESAMPLES) -> Estimate:
    """Estimate the mean over prompts of how often something holds, in [0, 1], with its interval over prompts.

    If each prompt is 0 or 1, the prompts are counted and the interval is Wilson's, which has a width even for ten of
    ten.  Otherwise (ties, seeds that disagree) it is the percentile bootstrap's.

    Args:
        holds: Values in [0, 1], (prompts,) or (prompts, seeds); NaN where a cell has none.
        rng: Source of the resamples, or its seed.
        resamples: Number of resamples.
    """
    means = prompt_means(holds)
    if not np.isin(means, (0.0, 1.0)).all():
        return prompt_bootstrap(holds, rng, method="percentile", resamples=resamples)
    n = len(means)
    if n < 2:
        reason = why_unknown(observed(holds), fewest=2)
        return Estimate(float(means[0]) if n else None, Interval(reason=reason), n)
    count = int(means.sum())
    return Estimate(count / n, wilson_interval(count, n), n)

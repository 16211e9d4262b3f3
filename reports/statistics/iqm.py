"""The interquartile mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reports.statistics.values import Floats


def interquartile_mean(values: ArrayLike, axis: int = -1) -> Floats:
    """Compute the mean of the middle half along ``axis``: ⌊n / 4⌋ values are cut off at each end (Agarwal et al. 2021).

    Unlike the median it uses half of the prompts; unlike the mean it does not depend on a few outliers.  Pass it to
    ``prompt_bootstrap`` as the statistic for an interval.
    """
    return np.asarray(stats.trim_mean(np.asarray(values, dtype=np.float64), 0.25, axis=axis))

"""The interquartile mean."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reports.statistics.values import Floats


def interquartile_mean(values: ArrayLike, axis: int = -1) -> Floats:
    """Mean of the middle half along ``axis``: ⌊n / 4⌋ values are cut off at each end (Agarwal et al. 2021).

    Unlike the median it uses half of the prompts; unlike the mean a few odd prompts do not move it.  Give it to
    ``prompt_bootstrap`` as the statistic for an interval.
    """
    return np.asarray(stats.trim_mean(np.asarray(values, dtype=np.float64), 0.25, axis=axis))

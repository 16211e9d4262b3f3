"""Performance profiles: the whole distribution of a method's scores."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reports.statistics.constants import PROFILE_RESAMPLES
from reports.statistics.share import share


def performance_profile(
    values: ArrayLike,
    thresholds: Sequence[float],
    rng: np.random.Generator | int,
    *,
    higher_is_better: bool = True,
) -> pd.DataFrame:
    """Compute the share of runs better than each threshold (Agarwal et al. 2021, section 4.2).

    Bounds hold for each threshold alone, not for the curve as a whole; NaN if the data do not determine them.

    Args:
        values: Scores, (prompts,) or (prompts, seeds); NaN where a cell has none.
        thresholds: Thresholds in the unit of the scores.
        rng: Source of the resamples, or its seed; all thresholds share their resamples.
        higher_is_better: Whether scores above the threshold count, rather than below.
    """
    array = np.asarray(values, dtype=np.float64)
    seed = int(np.random.default_rng(rng).integers(2**63))
    rows = []
    for threshold in thresholds:
        better = array > threshold if higher_is_better else array < threshold
        found = share(np.where(np.isnan(array), np.nan, better), seed, resamples=PROFILE_RESAMPLES)
        rows.append((threshold, found.value, found.interval.low, found.interval.high))
    return pd.DataFrame(rows, columns=["threshold", "share", "low", "high"], dtype=np.float64)

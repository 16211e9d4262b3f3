"""The whole distribution of a method's scores at one look."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reports.statistics.share import share


def performance_profile(
    values: ArrayLike,
    thresholds: Sequence[float],
    rng: np.random.Generator | int,
    *,
    higher_is_better: bool = True,
    resamples: int = 2_000,
    level: float = 0.95,
) -> pd.DataFrame:
    """Share of runs better than each threshold (Agarwal et al. 2021, section 4.2): ``threshold, share, low, high``.

    Bounds hold for each threshold by itself, not for the curve as a whole; NaN where the data cannot tell.

    Args:
        values: Scores, (prompts,) or (prompts, seeds); NaN where a cell has none.
        thresholds: In the unit of the scores.
        rng: Source of the resamples, or its seed; all thresholds share their resamples.
        higher_is_better: Whether scores above the threshold count, rather than below.
        resamples: Number of resamples.
        level: Confidence level.
    """
    array = np.asarray(values, dtype=np.float64)
    seed = int(np.random.default_rng(rng).integers(2**63))
    rows = []
    for threshold in thresholds:
        better = array > threshold if higher_is_better else array < threshold
        found = share(np.where(np.isnan(array), np.nan, better), seed, resamples=resamples, level=level)
        rows.append((threshold, found.value, found.interval.low, found.interval.high))
    return pd.DataFrame(rows, columns=["threshold", "share", "low", "high"], dtype=np.float64)

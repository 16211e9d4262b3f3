"""Differences of two methods on the same prompts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reports.statistics.values import ROUND_OFF, Floats


def paired_differences(ours: ArrayLike, theirs: ArrayLike) -> Floats:
    """Compute ``ours`` − ``theirs``, of the same shape; NaN where either has no score, exactly 0 for ties.

    Differences within round-off (1e-9 of the scores) are ties, so that a method neither wins nor loses against a copy
    of itself.

    Raises:
        ValueError: If the shapes differ.
    """
    first, second = (np.asarray(side, dtype=np.float64) for side in (ours, theirs))
    if first.shape != second.shape:
        raise ValueError(f"paired_differences: shapes are {first.shape} and {second.shape}, must be the same")
    with np.errstate(invalid="ignore"):  # ∞ − ∞ is NaN
        return np.where(np.isclose(first, second, rtol=ROUND_OFF, atol=0), 0.0, first - second)

"""An exact test of whether one method diverges more often than another."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reports.statistics.p_value import PValue


def mcnemar_test(ours: ArrayLike, theirs: ArrayLike) -> PValue:
    """Apply McNemar's exact test to paired prompts: are those that only one method loses split evenly?

    Cells of one prompt are not independent, so this takes one cell per prompt.  For several seeds pass the differences
    of each prompt's share of diverged cells to ``sign_flip_test``, which is the same test for one seed.

    Args:
        ours: (prompts,), 1 if the cell diverged, 0 if it did not, NaN if it failed
            (out of memory, crashed, not run); such pairs do not count.
        theirs: The same for the other method.

    Raises:
        ValueError: If the shapes differ, are not (prompts,), or a value is not 0, 1 or NaN.
    """
    first, second = (np.asarray(side, dtype=np.float64) for side in (ours, theirs))
    if first.shape != second.shape or first.ndim != 1:
        raise ValueError(f"mcnemar_test: shapes are {first.shape} and {second.shape}, must both be (prompts,)")
    both = ~np.isnan(first) & ~np.isnan(second)
    first, second, n = first[both], second[both], int(both.sum())
    if not np.isin([first, second], (0.0, 1.0)).all():
        raise ValueError("mcnemar_test: values must be 0, 1 or NaN")
    only_ours, only_theirs = int((first > second).sum()), int((first < second).sum())
    if only_ours + only_theirs == 0:
        return PValue(None, n, reason="no prompt is lost by one method alone" if n else "no pair ended")
    return PValue(float(stats.binomtest(only_ours, only_ours + only_theirs).pvalue), n)

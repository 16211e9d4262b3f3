"""Whether one method diverges more often than another, by exact tests on counts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reports.statistics.p_value import PValue


def mcnemar_test(ours: ArrayLike, theirs: ArrayLike) -> PValue:
    """McNemar's exact test on paired prompts: are those that only one method loses split evenly?

    Cells of one prompt are not independent, so this takes one cell a prompt.  For several seeds give the differences
    of each prompt's share of diverged cells to ``sign_flip_test``, which is the same test where there is one seed.

    Args:
        ours: (prompts,), 1 where the cell diverged, 0 where it did not, NaN where it did not come to an end
            (out of memory, crashed, not run); such pairs do not count.
        theirs: The same of the other method.

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
        return PValue(None, n, reason="no prompt is lost by one method alone" if n else "no pair came to an end")
    return PValue(float(stats.binomtest(only_ours, only_ours + only_theirs).pvalue), n)


def fisher_test(ours: tuple[int, int], theirs: tuple[int, int]) -> PValue:
    """Fisher's exact test on unpaired counts ``(diverged, total)``, such as those that papers print.

    Raises:
        ValueError: If a count is not in [0, total].
    """
    for diverged, total in (ours, theirs):
        if not 0 <= diverged <= total:
            raise ValueError(f"fisher_test: {diverged} of {total} is no count")
    n = ours[1] + theirs[1]
    if not ours[1] or not theirs[1]:
        return PValue(None, n, reason="nothing was counted")
    if ours[0] + theirs[0] in (0, n):
        return PValue(None, n, reason="all cells ended the same way")
    table = [[diverged, total - diverged] for diverged, total in (ours, theirs)]
    return PValue(float(stats.fisher_exact(table).pvalue), n)

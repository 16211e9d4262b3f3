"""Whether two methods differ: the sign-flip permutation test over prompts."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike
from scipy import stats

from reports.statistics.p_value import PValue
from reports.statistics.values import Floats, observed, prompt_means, why_unknown

_BATCH = 10_000  # permutations held in memory at once


def sign_flip_test(differences: ArrayLike, rng: np.random.Generator | int, *, resamples: int = 99_999) -> PValue:
    """Two-sided test that the mean difference is 0, if each prompt's difference could as well have the other sign.

    All 2ⁿ signs are enumerated where that takes no more than ``resamples``; else that many are drawn and the
    observed one is counted among them, so that p is never 0.

    Args:
        differences: Paired differences, (prompts,) or (prompts, seeds); seeds are averaged first, since the prompt
            is the independent unit.
        rng: Source of the signs, or its seed.
        resamples: Number of sign vectors drawn.
    """
    means = prompt_means(differences)
    n = len(means)
    reason = "all prompts are tied" if n > 1 and not means.any() else ""
    if not reason and (n < 2 or not np.isfinite(means).all()):
        reason = why_unknown(observed(differences), fewest=2)
    if reason:
        return PValue(None, n, reason=reason)
    test = stats.permutation_test(
        (means,),
        _mean,
        permutation_type="samples",
        vectorized=True,
        n_resamples=resamples,
        batch=_BATCH,
        rng=np.random.default_rng(rng),
    )
    return PValue(float(test.pvalue), n, exact=2**n <= resamples)


def _mean(values: Floats, axis: int) -> Floats:
    return np.asarray(np.mean(values, axis=axis))

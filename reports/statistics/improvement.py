"""The probability that one method beats another on a prompt."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reports.statistics.estimate import Estimate
from reports.statistics.share import share


def probability_of_improvement(
    differences: ArrayLike, rng: np.random.Generator | int, *, higher_is_better: bool = True
) -> Estimate:
    """Estimate the paired P(method beats baseline): the share of prompts it wins, ties as half, in [0, 1].

    With several seeds a prompt counts by the share of its seeds that win.  (Agarwal et al. 2021 compare all runs of
    a task with each other; ours are paired by prompt and seed.)

    Args:
        differences: Method − baseline from ``paired_differences``, (prompts,) or (prompts, seeds).
        rng: Source of the resamples, or its seed.
        higher_is_better: Whether a positive difference is a win.
    """
    signs = np.sign(np.asarray(differences, dtype=np.float64))  # NaN stays NaN
    wins = 0.5 + 0.5 * (signs if higher_is_better else -signs)
    return share(wins, rng)

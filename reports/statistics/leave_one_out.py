"""Prompts on which the result of a test depends."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from reports.statistics.constants import ALPHA
from reports.statistics.sign_flip import sign_flip_test
from reports.statistics.values import prompt_means


def deciding_prompts(differences: ArrayLike, seed: int) -> list[int]:
    """Find the prompts without which the sign-flip test's p would be on the other side of ``ALPHA``.

    One failed cell can make a difference that nothing else supports, or hide one that all other prompts have.

    Args:
        differences: Paired differences, (prompts,) or (prompts, seeds), NaN where a cell has none.
        seed: Seed of the test's signs.

    Returns:
        Indices of prompts, in order; none if there is no p with all prompts.  Without a p there is no result: a prompt
        whose absence leaves too few counts as one without which p is above ``ALPHA``.
    """
    array = np.asarray(differences, dtype=np.float64)
    whole = sign_flip_test(array, seed).p
    if whole is None:
        return []
    means, has_value = prompt_means(array), ~np.isnan(np.atleast_2d(array.T)).all(axis=0)
    found = []
    for place, prompt in enumerate(np.flatnonzero(has_value)):
        p = sign_flip_test(np.delete(means, place), seed).p
        if (p is not None and p <= ALPHA) != (whole <= ALPHA):
            found.append(int(prompt))
    return found

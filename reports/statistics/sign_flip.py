"""The sign-flip permutation test over prompts."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import ArrayLike, NDArray

from reports.statistics.constants import FLIPS
from reports.statistics.p_value import PValue
from reports.statistics.values import Floats, observed, prompt_means, why_unknown

#: Sums that differ by less than this share of the sizes of their terms differ by round-off only.
_ROUND_OFF = 1e-12


def sign_flip_test(differences: ArrayLike, rng: np.random.Generator | int, *, resamples: int = FLIPS) -> PValue:
    """Test two-sided whether the mean difference is 0; then each prompt's difference has either sign equally likely.

    All 2ⁿ sign vectors are enumerated if there are no more than ``resamples``; otherwise that many are drawn and the
    observed one is counted among them, so that p is never 0 (Phipson & Smyth 2010).

    Args:
        differences: Paired differences, (prompts,) or (prompts, seeds); seeds are averaged first, since the prompt
            is the independent unit.
        rng: Source of the signs, or its seed: tests with the same seed and number of prompts share their signs.
        resamples: Number of sign vectors drawn.
    """
    means = prompt_means(differences)
    n = len(means)
    if not has_test(means):
        tied = n > 1 and not means.any()
        reason = "all prompts are tied" if tied else why_unknown(observed(differences), fewest=2)
        return PValue(None, n, reason=reason)
    signs, exact = _signs(n, rng, resamples)
    return PValue(_share_as_far(signs @ means, means, exact=exact), n, exact=exact)


def p_without_each(differences: ArrayLike, seed: int, *, resamples: int = FLIPS) -> list[float | None]:
    """Return p of the test without each prompt in turn.

    One failed cell can make a difference that nothing else supports, or hide one that all other prompts have.

    Args:
        differences: As ``sign_flip_test`` has them.
        seed: Seed of the signs; without a prompt the others keep theirs.
        resamples: As there.

    Returns:
        By prompt: p without it, None if there is none; for a prompt that has no value, p of all.
    """
    array = np.asarray(differences, dtype=np.float64)
    whole = sign_flip_test(array, seed, resamples=resamples)
    found = [whole.p] * len(array)
    means, places = prompt_means(array), np.flatnonzero(~np.isnan(np.atleast_2d(array.T)).all(axis=0))
    if not np.isfinite(means).all():
        for index, place in enumerate(places):
            found[place] = sign_flip_test(np.delete(means, index), seed, resamples=resamples).p
        return found
    if whole.p is None:  # nor is there one with fewer prompts
        return found
    signs, exact = _signs(whole.n, seed, resamples)
    sums, flips = signs @ means, np.ascontiguousarray(signs.T)
    for index, place in enumerate(places):
        others, mean = np.delete(means, index), means[index]
        taken = sums - flips[index] * mean
        found[place] = _share_as_far(taken, others, exact=exact, also=abs(mean)) if has_test(others) else None
    return found


def has_test(means: Floats) -> bool:
    """Whether differences of prompts, (prompts,), have a p-value: two or more, finite, and not all 0."""
    return len(means) > 1 and bool(np.isfinite(means).all() and means.any())


def _share_as_far(sums: Floats, means: Floats, *, exact: bool, also: float = 0.0) -> float:
    """Return the share of the flipped ``sums`` that are as far from 0 as the sum of ``means``, which is p.

    ``also`` is the size of another term that was added and taken away, with its round-off.
    """
    least = abs(means.sum()) - _ROUND_OFF * np.abs(means).sum() - 8 * np.finfo(float).eps * also
    as_far = int((np.abs(sums) >= least).sum())
    return as_far / len(sums) if exact else (as_far + 1) / (len(sums) + 1)


def _signs(n: int, rng: np.random.Generator | int, resamples: int) -> tuple[NDArray[np.int8], bool]:
    """Return sign vectors, (vectors, n), and whether they are all."""
    if 2**n <= resamples:
        return _all_signs(n), True
    if isinstance(rng, np.random.Generator):
        return _drawn_signs(n, rng, resamples), False
    return _seeded_signs(n, rng, resamples), False


@lru_cache(maxsize=8)
def _seeded_signs(n: int, seed: int, resamples: int) -> NDArray[np.int8]:
    return _drawn_signs(n, np.random.default_rng(seed), resamples)


def _drawn_signs(n: int, rng: np.random.Generator, resamples: int) -> NDArray[np.int8]:
    return 2 * rng.integers(0, 2, (resamples, n), dtype=np.int8) - 1


@lru_cache(maxsize=8)
def _all_signs(n: int) -> NDArray[np.int8]:
    """Return every vector of n signs, (2ⁿ, n): the bits of 0 to 2ⁿ − 1."""
    return (2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1) - 1).astype(np.int8)

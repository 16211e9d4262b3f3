"""Confidence intervals from resampled prompts."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from types import SimpleNamespace
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import stats

from reports.statistics.constants import LEVEL, RESAMPLES
from reports.statistics.estimate import Estimate
from reports.statistics.interval import Interval
from reports.statistics.values import Floats, observed, prompt_means, why_unknown

#: A function that reduces the prompts on ``axis`` to a number, such as ``numpy.mean`` or ``interquartile_mean``.
Statistic = Callable[..., Floats]
Method = Literal["percentile", "bca"]
Draws = NDArray[np.int64]


def prompt_bootstrap(
    values: ArrayLike,
    rng: np.random.Generator | int,
    *,
    statistic: Statistic = np.mean,
    method: Method = "bca",
    resamples: int = RESAMPLES,
) -> Estimate:
    """Compute a statistic of the prompts' means and its interval over prompts (Efron & Tibshirani 1993, ch. 13, 14).

    A drawn prompt's seeds are drawn too.  The means of the prompts already differ by the noise of their seeds, so this
    counts a part of that noise twice and errs on the wide side: the variance grows by σ²_seed (s − 1) / (n s²)
    (Davison & Hinkley 1997, section 3.8).

    The bootstrap's own spread is too small for few prompts, by √((n − 1) / n), and its tails are the normal
    distribution's.  So the interval is taken at the level at which the mean's would be as wide as Student's (Hesterberg
    2015, section 4.4: expanded percentile intervals).  Other statistics take the same level, at which the interquartile
    mean's intervals are a little wide.

    Args:
        values: Scores or paired differences, (prompts,) or (prompts, seeds); NaN where a cell has none.
        rng: Source of the resamples.  An integer is a seed: calls with the same seed and the same number of prompts
            resample the same prompts.
        statistic: Called as ``statistic(prompts, axis=-1)``.
        method: Percentile, or bias-corrected and accelerated (the jackknife leaves out a prompt at a time).
        resamples: Number of resamples.
    """
    array = observed(values)
    means = prompt_means(array)
    n = len(means)
    value = float(statistic(means, axis=-1)) if n and np.isfinite(means).all() else None
    reason = why_unknown(array)
    if not reason:
        distribution = statistic(resample_prompts(array, rng, resamples), axis=-1)
        low, high = _bounds(means, distribution, statistic, method)
        if np.isfinite([low, high]).all() and high - low > 1e-12 * np.abs(distribution).max():
            return Estimate(value, Interval(low, high), n)
        reason = "the resamples do not differ"
    return Estimate(value, Interval(reason=reason), n)


def resample_prompts(values: Floats, rng: np.random.Generator | int, resamples: int) -> Floats:
    """Draw resamples and return the means of their prompts, (resamples, prompts).

    Prompts are drawn with replacement; for each, as many seeds as it has are drawn with replacement.

    Args:
        values: (prompts, seeds), NaN where a seed is missing; each prompt has at least one.
        rng: Source of the draws, or its seed.
        resamples: Number of resamples.
    """
    n, most = values.shape
    count = np.sum(~np.isnan(values), axis=1)
    packed = np.sort(values, axis=1)  # puts NaN last; the order of seeds does not matter
    if (count == most).all():
        draw = _draws if isinstance(rng, np.random.Generator) else _seeded_draws
        places = draw(n, most, rng, resamples)  # type: ignore[arg-type]
        return np.asarray(sum(packed.take(place) for place in places) / most)
    rng = np.random.default_rng(rng)
    drawn = rng.integers(0, n, (resamples, n))
    counts = count[drawn][..., None]
    seeds = rng.integers(0, counts, (resamples, n, most))
    taken = np.where(np.arange(most) < counts, packed[drawn[..., None], seeds], 0.0)
    return np.asarray(taken.sum(axis=-1) / counts[..., 0])


@lru_cache(maxsize=8)  # the metrics and methods of a study share resamples
def _seeded_draws(n: int, most: int, seed: int, resamples: int) -> list[Draws]:
    return _draws(n, most, np.random.default_rng(seed), resamples)


def _draws(n: int, most: int, rng: np.random.Generator, resamples: int) -> list[Draws]:
    """Draw the index of each seed of each drawn prompt among the n × most values: ``most`` arrays, (resamples, n)."""
    first = most * rng.integers(0, n, (resamples, n))
    return [first + rng.integers(0, most, (resamples, n)) for _ in range(most)] if most > 1 else [first]


@cache
def expanded_level(n: int) -> float:
    """Compute the level at which the interval of ``n`` ≥ 2 normal values is as wide as Student's at ``LEVEL``."""
    half_width = np.sqrt(n / (n - 1)) * stats.t.ppf((1 + LEVEL) / 2, n - 1)
    return float(2 * stats.norm.cdf(half_width) - 1)


def _bounds(means: Floats, distribution: Floats, statistic: Statistic, method: Method) -> tuple[float, float]:
    """Compute the interval of a given bootstrap distribution with SciPy."""
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        # BCa is NaN, which the caller checks, if the jackknife or the distribution has no spread
        warnings.simplefilter("ignore", stats.DegenerateDataWarning)
        interval = stats.bootstrap(
            (means,),
            statistic,
            n_resamples=0,
            bootstrap_result=SimpleNamespace(bootstrap_distribution=distribution),
            vectorized=True,
            method="BCa" if method == "bca" else "percentile",
            confidence_level=expanded_level(len(means)),
        ).confidence_interval
    return float(interval.low), float(interval.high)

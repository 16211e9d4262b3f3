"""CMMD against direct double sums, and against the published formula."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pytest

from metrics.cmmd import SCALE, Cmmd, half_shares, mmd2_shares
from metrics.suites import Suite
from metrics.views import Views


def points(count: int, seed: int) -> np.ndarray:
    """Unit vectors."""
    drawn = np.random.default_rng(seed).normal(size=(count, 5))
    return drawn / np.linalg.norm(drawn, axis=1, keepdims=True)


def kernel(x: np.ndarray, y: np.ndarray) -> float:
    return math.exp(-float(((x - y) ** 2).sum()) / 200)


def direct_mmd2(x: np.ndarray, y: np.ndarray) -> float:
    """Gretton et al., equation 3, term by term."""

    def within(some: np.ndarray) -> float:
        pairs = [kernel(a, b) for i, a in enumerate(some) for j, b in enumerate(some) if i != j]
        return math.fsum(pairs) / (len(some) * (len(some) - 1))

    across = math.fsum(kernel(a, b) for a in x for b in y) / (len(x) * len(y))
    return within(x) + within(y) - 2 * across


@pytest.mark.parametrize(("n", "m"), [(7, 7), (6, 11), (2, 2)])
def test_the_mean_of_the_shares_is_the_unbiased_mmd2(n: int, m: int) -> None:
    x, y = points(n, 0), points(m, 1)
    assert mmd2_shares(x, y).mean() == pytest.approx(direct_mmd2(x, y), rel=1e-9, abs=1e-15)


def test_a_share_has_the_terms_of_its_own_view() -> None:
    x, y = points(4, 0), points(3, 1)
    other = x.copy()
    other[3] = points(1, 9)[0]
    changed = mmd2_shares(other, y) - mmd2_shares(x, y)
    for i in range(3):
        assert changed[i] == pytest.approx((kernel(x[i], other[3]) - kernel(x[i], x[3])) / 3, abs=1e-15)


def test_the_published_formula_is_ours_with_the_diagonals() -> None:
    """google-research/cmmd, distance.py: the means over all pairs, of a point with itself too, times 1000."""
    x, y = points(6, 0), points(9, 1)
    gamma = 1 / (2 * 10**2)

    def mean(a: np.ndarray, b: np.ndarray) -> float:
        return np.exp(-gamma * (-2 * a @ b.T + (a * a).sum(1)[:, None] + (b * b).sum(1)[None])).mean()

    published = 1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y))
    within_x, within_y = ((mean(some, some) * len(some) - 1) / (len(some) - 1) for some in (x, y))
    unbiased = published + 1000 * (within_x - mean(x, x) + within_y - mean(y, y))
    assert SCALE * mmd2_shares(x, y).mean() == pytest.approx(unbiased, rel=1e-9)
    assert published > unbiased


@pytest.mark.parametrize("count", [4, 7, 12])
def test_halves_are_every_second_point_against_the_others(count: int) -> None:
    x = points(count, 0)
    assert half_shares(x).mean() == pytest.approx(direct_mmd2(x[::2], x[1::2]), rel=1e-9, abs=1e-15)


def test_without_bias_the_same_distribution_is_0_in_the_mean() -> None:
    """Against itself a set would be at −2 (1 − k) / n, here −0.3."""
    drawn = [SCALE * half_shares(points(60, seed)).mean() for seed in range(200)]
    error = np.std(drawn) / math.sqrt(len(drawn))
    assert abs(np.mean(drawn)) < 3 * error < 0.12
    assert np.mean([SCALE * mmd2_shares(x, x).mean() for x in (points(60, 0),)]) < -0.2


def test_views_are_compared_with_the_prior_s_images(suite: Suite, make_views: Callable[..., Views]) -> None:
    metric, views = Cmmd(suite), make_views(6)
    samples = make_views(9).rgb[::-1].copy()
    found = metric.score(dataclasses.replace(views, samples=samples), "a red car", [])
    own, others = (metric._clip.image_features(rgb).double().numpy() for rgb in (views.rgb, samples))
    assert found["cmmd"].mean() == pytest.approx(1000 * direct_mmd2(own, others), rel=1e-6)
    assert found["cmmd"].shape == (6,)


def test_the_prior_s_own_images_are_split_in_halves(suite: Suite, make_views: Callable[..., Views]) -> None:
    metric, views = Cmmd(suite), make_views(8)
    found = metric.score(dataclasses.replace(views, samples=views.rgb.copy()), "a red car", [])
    own = metric._clip.image_features(views.rgb).double().numpy()
    assert found["cmmd"].mean() == pytest.approx(1000 * direct_mmd2(own[::2], own[1::2]), rel=1e-6)


def test_one_image_is_no_set(suite: Suite, make_views: Callable[..., Views]) -> None:
    metric = Cmmd(suite)
    assert metric.score(make_views(3), "a red car", []) == {}
    for count, samples in ((1, 3), (3, 1), (3, 3)):  # three images of the prior's own are no two halves
        views = dataclasses.replace(make_views(count), samples=make_views(samples).rgb)
        assert metric.score(views, "a red car", []) == {}

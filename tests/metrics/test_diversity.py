"""Diversity over seeds against the mean over all pairs."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from itertools import combinations

import numpy as np
import pytest

from metrics.diversity import Diversity
from metrics.suites import Suite
from metrics.views import Views

COUNT = 4


@pytest.fixture
def seeds() -> list[np.ndarray]:
    rng = np.random.default_rng(3)
    return [rng.integers(0, 256, (COUNT, 32, 32, 3), dtype=np.uint8) for _ in range(3)]


def views_of(seeds: list[np.ndarray], index: int) -> Views:
    others = [rgb for at, rgb in enumerate(seeds) if at != index]
    return Views(seeds[index], None, np.arange(COUNT) * 90.0, others=others)


def test_the_mean_over_seeds_is_that_over_all_pairs(suite: Suite, seeds: list[np.ndarray]) -> None:
    metric = Diversity(suite)
    features = [metric._clip.image_features(rgb).double().numpy() for rgb in seeds]
    cosines = [(a * b).sum(axis=1) for a, b in combinations(features, 2)]
    found = [metric.score(views_of(seeds, index), "a red car", [])["diversity"] for index in range(3)]
    np.testing.assert_allclose(np.mean(found, axis=0), 1 - np.mean(cosines, axis=0), rtol=0, atol=1e-12)
    assert np.mean(found) > 0.001


def test_the_same_asset_from_every_seed_is_0(suite: Suite, seeds: list[np.ndarray]) -> None:
    found = Diversity(suite).score(views_of([seeds[0], seeds[0].copy()], 0), "a red car", [])
    np.testing.assert_allclose(found["diversity"], 0, atol=1e-6)


def test_a_single_seed_has_no_value(suite: Suite, seeds: list[np.ndarray]) -> None:
    assert Diversity(suite).score(views_of(seeds[:1], 0), "a red car", []) == {}


def test_draws_are_compared_with_those_of_the_same_text(suite: Suite, make_views: Callable[..., Views]) -> None:
    """Images of the prior, whose third text has one draw only."""
    metric = Diversity(suite)
    views = dataclasses.replace(make_views(6), texts=("front", "side", "side", "front", "back", "side"))
    features = metric._clip.image_features(views.rgb).double().numpy()
    distance = 1 - features @ features.T
    expected = [
        distance[0, 3],
        (distance[1, 2] + distance[1, 5]) / 2,
        (distance[2, 1] + distance[2, 5]) / 2,
        distance[3, 0],
        np.nan,
        (distance[5, 1] + distance[5, 2]) / 2,
    ]
    np.testing.assert_allclose(metric.score(views, "a red car", [])["diversity"], expected, rtol=0, atol=1e-12)
    every = dataclasses.replace(views, texts=tuple("abcdef"))
    assert metric.score(every, "a red car", []) == {}

"""Means and distances of ratios against SciPy and by hand."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import gmean, gstd

from reports.statistics import geometric_mean, geometric_sd, octaves_off, prompt_bootstrap
from reports.statistics.ratios import LEAST

RATIOS = arrays(float, (3, 5), elements=st.floats(1, 1e4))


@given(RATIOS, st.sampled_from([0, 1, -1]))
def test_equals_scipy(values: np.ndarray, axis: int) -> None:
    np.testing.assert_allclose(geometric_mean(values, axis, target=100), gmean(values, axis=axis))


@given(RATIOS, st.floats(0.1, 10))
def test_a_factor_of_all_is_a_factor_of_the_mean(values: np.ndarray, factor: float) -> None:
    np.testing.assert_allclose(geometric_mean(factor * values, target=100), factor * geometric_mean(values, target=100))


def test_half_and_twice_the_target_are_equally_wrong() -> None:
    np.testing.assert_allclose(octaves_off([50, 100, 200, 25], target=100), [1, 0, 1, 2])
    np.testing.assert_allclose(geometric_mean([50.0, 200.0], target=100), 100)


def test_nothing_at_all_counts_as_the_least_ratio() -> None:
    np.testing.assert_allclose(octaves_off([0.0, 100 * LEAST / 2], target=100), 10)
    np.testing.assert_allclose(geometric_mean([0.0, 100.0], target=100), 100 * np.sqrt(LEAST))


def test_missing_stays_missing() -> None:
    assert np.isnan(octaves_off([np.nan], target=100)).all()


def test_the_interval_is_of_the_geometric_mean() -> None:
    values = 100 * np.exp2(np.random.default_rng(0).normal(1, 1, 16))
    found = prompt_bootstrap(values, 0, statistic=lambda own, axis: geometric_mean(own, axis, target=100))
    logs = prompt_bootstrap(np.log2(values / 100), 0, method="bca")
    assert found.value == pytest.approx(gmean(values))
    np.testing.assert_allclose(
        [found.interval.low, found.interval.high], 100 * np.exp2([logs.interval.low, logs.interval.high]), rtol=0.02
    )


def test_the_sd_of_the_logarithm_is_a_factor() -> None:
    values = [25.0, 100.0, 400.0]
    assert geometric_sd(values, target=100.0) == pytest.approx(gstd(values))
    assert geometric_sd([7.0, 7.0], target=100.0) == 1.0
    assert geometric_sd([0.0, 0.0], target=100.0) == 1.0  # both count as the least ratio
    assert geometric_sd([7.0], target=100.0) is None

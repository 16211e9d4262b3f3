"""Shares and divergence, against published counts of SDI's Table 1 and closed forms."""

import numpy as np
import pytest

from reports.statistics import (
    mcnemar_test,
    paired_differences,
    performance_profile,
    probability_of_improvement,
    share,
    sign_flip_test,
    wilson_interval,
)

NAN = float("nan")


@pytest.mark.parametrize(
    ("count", "low", "high"), [(8, 9.7, 32.6), (10, 13.2, 37.7), (2, 1.3, 15.5)], ids=["SDS", "VSD", "SDI"]
)
def test_wilson_of_the_papers_divergence(count, low, high):
    interval = wilson_interval(count, 43)
    assert (round(100 * interval.low, 1), round(100 * interval.high, 1)) == (low, high)


def test_wilson_has_a_width_at_both_ends_and_a_reason_without_a_count():
    z2 = 1.959963984540054**2
    assert wilson_interval(0, 43).high == pytest.approx(z2 / (43 + z2))
    assert wilson_interval(43, 43).low == pytest.approx(43 / (43 + z2))
    assert wilson_interval(0, 0).reason == "nothing was counted"
    with pytest.raises(ValueError, match="count is 5"):
        wilson_interval(5, 4)


def test_mcnemar_is_the_binomial_of_the_discordant_pairs():
    ours = [1] * 6 + [0] + [1] * 2 + [0] * 3 + [NAN, 1]
    theirs = [0] * 6 + [1] + [1] * 2 + [0] * 3 + [1, NAN]
    got = mcnemar_test(ours, theirs)
    assert (got.p, got.n) == (pytest.approx(2 * (1 + 7) / 2**7), 12)
    flipped = sign_flip_test(paired_differences(ours, theirs), 0)
    assert (flipped.p, flipped.n) == (pytest.approx(got.p, rel=1e-12), 12)


@pytest.mark.parametrize("same", [0.0, 1.0], ids=["none diverged", "all diverged"])
def test_methods_that_end_the_same_way_have_no_p_value(same):
    ends = np.full(43, same)
    assert mcnemar_test(ends, ends).reason == "no prompt is lost by one method alone"
    assert mcnemar_test(np.full(3, NAN), [1, 0, 1]).reason == "no pair ended"


def test_values_that_are_not_outcomes_are_refused():
    with pytest.raises(ValueError, match="must be 0, 1 or NaN"):
        mcnemar_test([0.5], [1])
    with pytest.raises(ValueError, match="shapes"):
        mcnemar_test([1, 0], [1])


def test_improvement_counts_wins_and_half_of_ties():
    got = probability_of_improvement([1.0, 2, 0, -1, 3, 0, 1, NAN], 0)
    assert (got.value, got.n) == (pytest.approx(5 / 7), 7)
    lower = probability_of_improvement([1.0, 2, 0, -1, 3, 0, 1, NAN], 0, higher_is_better=False)
    assert lower.value == pytest.approx(2 / 7)
    assert (1 - lower.interval.high, 1 - lower.interval.low) == pytest.approx((got.interval.low, got.interval.high))


def test_improvement_without_ties_has_wilsons_interval_even_if_all_win():
    assert probability_of_improvement([0.01] * 43, 0).interval == wilson_interval(43, 43)
    assert probability_of_improvement([1.0] * 30 + [-2.0] * 13, 0).interval == wilson_interval(30, 43)


def test_improvement_without_enough_data_has_a_reason():
    assert probability_of_improvement([0.0] * 43, 0).interval.reason == "all values are the same"
    one = probability_of_improvement([1.0], 0)
    assert (one.value, one.interval.reason) == (1.0, "1 prompt, at least 2 are needed")
    none = probability_of_improvement([NAN] * 3, 0)
    assert (none.value, none.interval.reason, none.n) == (None, "no prompt has a value", 0)


def test_improvement_covers_the_truth_if_seeds_disagree():
    rng, covered, runs = np.random.default_rng(1), 0, 300
    truth = 0.6915  # Φ(½): difference 0.5 × (SD of prompts and seeds together)
    for _ in range(runs):
        differences = 0.5 + rng.normal(0, 0.8, (43, 1)) + rng.normal(0, 0.6, (43, 2))
        covered += probability_of_improvement(differences, rng).interval.contains(truth)
    assert 0.92 <= covered / runs <= 0.98


def test_share_weighs_prompts_equally():
    holds = np.array([[1, 1, 0], [1, NAN, NAN], *[[0, 0, 0]] * 6])
    assert share(holds, 0).value == pytest.approx((2 / 3 + 1) / 8)


def test_profile_is_the_share_above_each_threshold():
    values = np.random.default_rng(2).normal(30, 2.4, (43, 2))
    values[3] = NAN
    thresholds = [20.0, 28.0, 30.0, 32.0, 40.0]
    profile = performance_profile(values, thresholds, 0)
    assert profile["share"].tolist() == pytest.approx([np.nanmean(values[np.arange(43) != 3] > t) for t in thresholds])
    assert (profile["low"] < profile["high"]).all()
    assert ((profile["low"] <= profile["share"]) & (profile["share"] <= profile["high"])).all()
    assert profile["low"].iloc[0] == pytest.approx(wilson_interval(42, 42).low)
    below = performance_profile(values, thresholds, 0, higher_is_better=False)
    assert below["share"].tolist() == pytest.approx((1 - profile["share"]).tolist())
    assert performance_profile(values, thresholds, np.random.default_rng(0)).equals(profile)


def test_a_profile_without_scores_is_nan():
    assert performance_profile([NAN] * 5, [1.0], 0)[["share", "low", "high"]].isna().all(axis=None)
    one = performance_profile([3.0], [1.0], 0)
    assert (one["share"].item(), one["low"].isna().item()) == (1.0, True)

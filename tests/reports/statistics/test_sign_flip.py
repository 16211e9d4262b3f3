from itertools import product

import numpy as np
import pytest
from scipy import stats

from reports.statistics import minimum_detectable_difference, p_without_each, sign_flip_test

NAN = float("nan")


def test_the_rate_of_false_positives_is_the_level():
    """Two equal methods on 43 prompts; the scores of every second pair are far from normal."""
    rng, runs, rejected = np.random.default_rng(1), 4000, 0
    for run in range(runs):
        ours, theirs = rng.exponential(2.4, (2, 43)) if run % 2 else rng.normal(30, 2.4, (2, 43))
        rejected += sign_flip_test(ours - theirs, rng, resamples=39).p <= 0.05  # 39, so that .05 is a possible p
    assert 0.04 <= rejected / runs <= 0.06


def test_the_minimum_detectable_difference_is_found_with_its_power():
    rng, sd = np.random.default_rng(3), 2.45
    gap = minimum_detectable_difference(sd, 43)
    found = sum(sign_flip_test(rng.normal(gap, sd, 43), rng, resamples=199).p <= 0.05 for _ in range(700))
    assert 0.76 <= found / 700 <= 0.84


def test_few_prompts_are_enumerated():
    values = np.random.default_rng(4).normal(0.5, 1, 9)
    means = [abs(np.mean(np.multiply(signs, values))) for signs in product([-1, 1], repeat=9)]
    expected = np.mean(np.array(means) >= abs(values.mean()) - 1e-12)
    got = sign_flip_test(values, 0)
    assert (got.p, got.n, got.exact) == (pytest.approx(expected), 9, True)
    assert sign_flip_test(values, 0) == sign_flip_test(values, 1)


@pytest.mark.parametrize("n", [2, 7, 13])
def test_exact_p_is_scipys_permutation_test(n):
    values = np.round(np.random.default_rng(n).normal(0.4, 1, n), 1)  # rounded, so that sums tie
    expected = stats.permutation_test((values,), np.mean, permutation_type="samples", n_resamples=2**n)
    assert sign_flip_test(values, 0).p == pytest.approx(expected.pvalue, rel=1e-12)


def test_tests_with_one_seed_share_their_signs_and_a_generator_advances():
    values = np.random.default_rng(7).normal(0.3, 1, 30)
    assert sign_flip_test(values, 1, resamples=999) == sign_flip_test(values, 1, resamples=999)
    assert sign_flip_test(values, 1, resamples=999) == sign_flip_test(values, np.random.default_rng(1), resamples=999)
    rng = np.random.default_rng(1)
    found = {sign_flip_test(values, rng, resamples=999).p for _ in range(20)}
    assert len(found) > 1


def test_sampled_p_is_near_the_exact_one_and_never_zero():
    values = np.random.default_rng(5).normal(0.6, 1, 12)
    exact, sampled = sign_flip_test(values, 0), sign_flip_test(values, 0, resamples=4000)
    assert (exact.exact, sampled.exact) == (True, False)
    assert sampled.p == pytest.approx(exact.p, abs=4 * np.sqrt(exact.p / 4000))
    assert sign_flip_test(np.arange(1.0, 44), 0, resamples=99).p == pytest.approx(1 / 100)


def test_seeds_are_averaged_first():
    values = np.random.default_rng(6).normal(0.4, 1, (10, 3))
    values[0, 1:] = NAN
    assert sign_flip_test(values, 0) == sign_flip_test(np.nanmean(values, axis=1), 0)


@pytest.mark.parametrize(
    ("values", "n", "reason"),
    [
        ([], 0, "no prompt has a value"),
        ([NAN, NAN], 0, "no prompt has a value"),
        ([1.0, NAN], 1, "1 prompt, at least 2 are needed"),
        ([0.0] * 8, 8, "all prompts are tied"),
        ([1.0, np.inf, 2.0], 3, "infinite values"),
    ],
)
def test_without_enough_data_there_is_a_reason(values, n, reason):
    got = sign_flip_test(values, 0)
    assert (got.p, got.n, got.reason) == (None, n, reason)


def test_a_constant_difference_has_the_p_value_of_its_signs():
    assert sign_flip_test([0.01] * 6, 0).p == pytest.approx(2 / 2**6)


def test_one_prompt_hides_what_all_others_have():
    values = [1.0, 1.1, 0.9, 1.2, 0.8, 1.0, 1.1, -9.0]
    without = p_without_each(values, 0)
    assert sign_flip_test(values, 0).p > 0.05
    assert without[7] == pytest.approx(2 / 2**7)
    assert min(without[:7]) > 0.05


@pytest.mark.parametrize("gap", [0.0, 0.4, 0.8])
def test_p_without_each_is_the_test_without_each(gap):
    values = np.round(np.random.default_rng(3).normal(gap, 1, 10), 1)  # rounded, so that sums tie
    expected = [sign_flip_test(np.delete(values, place), 0).p for place in range(10)]
    assert p_without_each(values, 0) == pytest.approx(expected)


def test_p_without_each_is_near_the_test_where_signs_are_drawn():
    values = np.random.default_rng(5).normal(0.3, 1, 43)
    expected = [sign_flip_test(np.delete(values, place), 1).p for place in range(43)]
    assert p_without_each(values, 0) == pytest.approx(expected, abs=0.006)


def test_a_prompt_without_a_value_changes_nothing():
    values = np.array([NAN, 1.0, 1.1, 0.9, NAN, 1.2, 0.8, 1.0, 1.1, -9.0])
    whole, without = sign_flip_test(values, 0).p, p_without_each(values, 0)
    assert [without[0], without[4]] == [whole, whole]
    assert without[9] == pytest.approx(2 / 2**7)
    seeds = np.stack([values, values], axis=1)
    seeds[3, 1] = NAN
    assert p_without_each(seeds, 0) == pytest.approx(without)


@pytest.mark.parametrize("values", [[], [1.0], [0.0, 0.0, 0.0], [NAN, NAN]])
def test_where_there_is_no_p_there_is_none_without_a_prompt(values):
    assert p_without_each(np.array(values), 0) == [None] * len(values)


def test_without_a_prompt_there_can_be_no_p():
    """The others are tied; and an infinite one hides what the others have."""
    assert p_without_each([0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 5.0], 0) == [1.0] * 6 + [None]
    hidden = p_without_each([3.0, 4.0, 5.0, 3.0, 4.0, 5.0, 6.0, np.inf], 0)
    assert hidden == [None] * 7 + [pytest.approx(2 / 2**7)]


def test_p_is_never_0_without_a_very_large_prompt():
    values = [1.3e5, 0.09, 0.04, 0.14, 0.09, 0.1, 0.07, 0.09, 0.11]
    assert p_without_each(values, 0)[0] == pytest.approx(2 / 2**8)

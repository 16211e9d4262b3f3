import numpy as np
import pytest

from reports.statistics import deciding_prompts, sign_flip_test


def test_one_prompt_hides_what_all_others_have():
    values = [1.0, 1.1, 0.9, 1.2, 0.8, 1.0, 1.1, -9.0]
    assert sign_flip_test(values, 0).p > 0.05
    assert deciding_prompts(values, 0) == [7]


def test_no_prompt_decides_a_difference_that_all_eight_have():
    assert deciding_prompts([1.0, 1.1, 0.9, 1.2, 0.8, 1.0, 1.1, 5.0], 0) == []


def test_every_prompt_decides_where_as_many_are_needed():
    """Six prompts that agree have p = 2 / 2⁶, and five have 2 / 2⁵."""
    assert deciding_prompts(np.arange(1.0, 7.0), 0) == [0, 1, 2, 3, 4, 5]


@pytest.mark.parametrize("gap", [0.4, 0.8])
def test_it_is_the_test_without_each_prompt(gap):
    values = np.random.default_rng(3).normal(gap, 1, 10)
    seen = sign_flip_test(values, 0).p <= 0.05
    without = [sign_flip_test(np.delete(values, place), 0).p <= 0.05 for place in range(10)]
    assert deciding_prompts(values, 0) == [place for place in range(10) if without[place] != seen]


def test_prompts_without_a_value_keep_their_place_and_decide_nothing():
    values = np.array([np.nan, 1.0, 1.1, 0.9, np.nan, 1.2, 0.8, 1.0, 1.1, -9.0])
    assert deciding_prompts(values, 0) == [9]
    both = np.stack([values, values], axis=1)
    both[3, 1] = np.nan
    assert deciding_prompts(both, 0) == [9]


@pytest.mark.parametrize("values", [[], [1.0], [0.0, 0.0, 0.0], [np.nan, np.nan]])
def test_without_a_p_nothing_decides(values):
    assert deciding_prompts(np.array(values), 0) == []

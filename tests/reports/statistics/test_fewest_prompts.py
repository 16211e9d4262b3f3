"""The fewest prompts for a verdict, against the tests themselves."""

import numpy as np
import pytest

from reports.statistics import fewest_prompts, least_p
from reports.statistics.constants import ALPHA
from reports.statistics.holm import holm
from reports.statistics.sign_flip import sign_flip_test


@pytest.mark.parametrize("comparisons", [1, 2, 8, 22, 253])
def test_a_difference_that_all_prompts_share_is_told_from_the_fewest_prompts_on(comparisons: int) -> None:
    fewest = fewest_prompts(comparisons)
    for prompts in (fewest - 1, fewest):
        p = sign_flip_test(np.arange(1.0, prompts + 1), 0).p
        corrected = holm([p] + [1.0] * (comparisons - 1))[0]
        assert corrected == pytest.approx(least_p(prompts, comparisons), rel=1e-3)
        if prompts >= 6:
            assert (corrected <= ALPHA) == (prompts == fewest)


def test_intervals_need_prompts_too() -> None:
    assert fewest_prompts(0) == fewest_prompts(1) == 6
    assert fewest_prompts(22) == 10
    assert least_p(2, 50) == 1.0

import numpy as np
import pytest
from scipy import stats

from reports.statistics import Moments, newcombe_interval, welch_interval


def test_welch_is_scipys_on_samples_with_these_moments():
    rng = np.random.default_rng(0)
    ours, theirs = rng.normal(30, 2.4, 43), rng.normal(29, 1.2, 17)
    got = welch_interval(*(Moments(side.mean(), side.std(ddof=1), len(side)) for side in (ours, theirs)))
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    assert (got.low, got.high) == pytest.approx((expected.low, expected.high), rel=1e-9)


def test_newcombes_own_example():
    """Newcombe 1998 (Statistics in Medicine 17, 873), table II, method 10: 56/70 − 48/80."""
    got = newcombe_interval((56, 70), (48, 80))
    assert (round(got.low, 4), round(got.high, 4)) == (0.0524, 0.3339)
    turned = newcombe_interval((48, 80), (56, 70))
    assert (turned.low, turned.high) == pytest.approx((-got.high, -got.low))


def test_too_few_values_give_a_reason():
    assert newcombe_interval((0, 0), (2, 43)).reason == "nothing was counted"
    assert welch_interval(Moments(1.0, 0.0, 1), Moments(2.0, 1.0, 43)).reason == "fewer than two values on one side"
    assert welch_interval(Moments(1.0, 0.0, 5), Moments(2.0, 0.0, 43)).reason == "no spread on either side"
    with pytest.raises(ValueError, match="count is 5"):
        newcombe_interval((5, 4), (2, 43))

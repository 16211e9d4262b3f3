import numpy as np
import pytest
from scipy import stats

from reports.statistics import holm


def test_worked_example():
    """Sorted .005, .01, .03, .04 times 4, 3, 2, 1, then never falling."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.6, 0.7]) == [1.0, 1.0]
    assert holm([]) == []


def test_decisions_are_those_of_the_step_down_procedure():
    rng = np.random.default_rng(0)
    for _ in range(200):
        p = rng.beta(0.4, 3, 6)
        rejected = np.zeros(6, dtype=bool)
        for step, index in enumerate(np.argsort(p)):
            if p[index] > 0.05 / (6 - step):
                break
            rejected[index] = True
        assert (np.array(holm(p.tolist())) <= 0.05).tolist() == rejected.tolist()


def test_adjusted_values_lie_between_benjamini_hochberg_and_bonferroni():
    p = np.random.default_rng(1).beta(0.4, 3, 20)
    adjusted = np.array(holm(p.tolist()))
    assert (adjusted >= stats.false_discovery_control(p) - 1e-15).all()
    assert (adjusted <= np.minimum(1, 20 * p)).all()


def test_tests_without_a_p_value_do_not_count():
    assert holm([None, 0.01, None, 0.04]) == [None, pytest.approx(0.02), None, pytest.approx(0.04)]

import numpy as np
import pytest
from scipy import stats

from reports.statistics import minimum_detectable_difference


@pytest.mark.parametrize(("correlation", "forecast"), [(0, 1.52), (0.5, 1.07), (0.8, 0.68)])
def test_differences_that_43_prompts_show_at_an_sd_of_2_45(correlation, forecast):
    """CLIP points, for scores of two methods with this correlation over the prompts of arXiv 2405.15891."""
    assert round(minimum_detectable_difference(2.45 * np.sqrt(2 - 2 * correlation), 43), 2) == forecast


@pytest.mark.parametrize("n", [2, 3, 6, 10, 43, 400])
def test_power_by_the_noncentral_t_distribution(n):
    """The reference uses the noncentral t distribution, the code the noncentral F."""
    critical = stats.t.ppf(0.975, n - 1)
    exact = minimum_detectable_difference(1.0, n) * np.sqrt(n)
    assert stats.nct.sf(critical, n - 1, exact) == pytest.approx(0.8, abs=1e-5)  # without the other side's 1e-6


@pytest.mark.parametrize(("n", "smaller"), [(6, 0.20), (43, 0.02)])
def test_the_planning_formula_is_smaller(n, smaller):
    planned = (stats.norm.ppf(0.975) + stats.norm.ppf(0.8)) / np.sqrt(n)
    assert 1 - planned / minimum_detectable_difference(1.0, n) == pytest.approx(smaller, abs=0.01)


@pytest.mark.parametrize(("sd", "prompts"), [(2.4, 1), (2.4, 0), (0.0, 43), (float("nan"), 43)])
def test_without_spread_or_prompts_there_is_none(sd, prompts):
    assert minimum_detectable_difference(sd, prompts) is None

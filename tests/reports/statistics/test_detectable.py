import numpy as np
import pytest
from scipy import stats

from reports.statistics import minimum_detectable_difference, paired_sd


@pytest.mark.parametrize(("correlation", "forecast"), [(0, 1.47), (0.5, 1.04), (0.8, 0.66)])
def test_differences_that_the_papers_43_prompts_show(correlation, forecast):
    """CLIP points between SDI and VSD, whose printed SDs are 2.49 and 2.39 (2.44 as a root mean square)."""
    assert round(minimum_detectable_difference(paired_sd(2.49, correlation, baseline_sd=2.39), 43), 2) == forecast


@pytest.mark.parametrize(
    ("method", "forecasts"), [("normal", (1.48, 1.05, 0.66)), ("t", (1.52, 1.07, 0.68))], ids=["normal", "t"]
)
def test_differences_at_an_sd_of_2_45(method, forecasts):
    found = [minimum_detectable_difference(paired_sd(2.45, rho), 43, method=method) for rho in (0, 0.5, 0.8)]
    assert tuple(round(each, 2) for each in found) == forecasts


@pytest.mark.parametrize("n", [2, 3, 6, 10, 43, 400])
def test_power_by_the_noncentral_t_distribution(n):
    """Independent answers: the noncentral t distribution, where ours is by the noncentral F."""
    critical = stats.t.ppf(0.975, n - 1)
    exact, normal = (minimum_detectable_difference(1.0, n, method=method) * np.sqrt(n) for method in ("t", "normal"))
    assert stats.nct.sf(critical, n - 1, exact) == pytest.approx(0.8, abs=1e-5)  # less the wrong side's 1e-6
    assert stats.nct.sf(critical, n - 1, normal) < 0.8
    if n >= 43:
        assert stats.nct.sf(critical, n - 1, normal) > 0.78


def test_spread_of_differences_is_that_of_correlated_normals():
    ours, theirs = np.random.default_rng(0).multivariate_normal([0, 0], [[9, 3], [3, 4]], 200_000).T
    assert paired_sd(3, 0.5, baseline_sd=2) == pytest.approx(np.std(ours - theirs), rel=0.01)
    assert paired_sd(0.1, 1.0) == 0


@pytest.mark.parametrize(("sd", "prompts"), [(2.4, 1), (2.4, 0), (0.0, 43), (float("nan"), 43)])
def test_what_cannot_be_told_is_not_told(sd, prompts):
    assert minimum_detectable_difference(sd, prompts) is None
    assert minimum_detectable_difference(sd, prompts, method="t") is None

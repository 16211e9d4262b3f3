import numpy as np
import pytest
from scipy import stats

from reports.statistics import minimum_detectable_difference, paired_sd


@pytest.mark.parametrize(("correlation", "published"), [(0, 1.47), (0.5, 1.04), (0.8, 0.66)])
def test_differences_that_the_papers_43_prompts_show(correlation, published):
    """CLIP points at SD ≈ 2.45; at 2.45 exactly they are 1.48, 1.05 and 0.66, at 2.44 the digits as published."""
    at = [minimum_detectable_difference(paired_sd(sd, correlation), 43) for sd in (2.44, 2.45)]
    assert round(at[0], 2) == published
    assert at[1] == pytest.approx(published, rel=0.0075)


def test_power_by_the_noncentral_t_distribution():
    """An independent answer: the power of the t-test at the difference said to be found in 80 % of studies."""
    for n, least in ((10, 0.7), (43, 0.78), (400, 0.798)):
        noncentrality = minimum_detectable_difference(1.0, n) * np.sqrt(n)
        critical = stats.t.ppf(0.975, n - 1)
        power = stats.nct.sf(critical, n - 1, noncentrality) + stats.nct.cdf(-critical, n - 1, noncentrality)
        assert least < power < 0.8


def test_spread_of_differences_is_that_of_correlated_normals():
    ours, theirs = np.random.default_rng(0).multivariate_normal([0, 0], [[9, 3], [3, 4]], 200_000).T
    assert paired_sd(3, 0.5, baseline_sd=2) == pytest.approx(np.std(ours - theirs), rel=0.01)
    assert paired_sd(0.1, 1.0) == 0


@pytest.mark.parametrize(("sd", "prompts"), [(2.4, 1), (2.4, 0), (0.0, 43), (float("nan"), 43)])
def test_what_cannot_be_told_is_not_told(sd, prompts):
    assert minimum_detectable_difference(sd, prompts) is None

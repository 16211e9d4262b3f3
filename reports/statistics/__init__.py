"""Inference from a study's scores to other prompts: intervals, tests and rank groups.

The prompt is the independent unit: views are averaged to an asset and never resampled, seeds are averaged or
resampled within their prompt.  If the data do not determine a number, the
result is None with a reason.
"""

from reports.statistics.bootstrap import prompt_bootstrap
from reports.statistics.comparison import PairedComparison, compare_to_baseline
from reports.statistics.detectable import minimum_detectable_difference
from reports.statistics.divergence import mcnemar_test
from reports.statistics.estimate import Estimate
from reports.statistics.fewest_prompts import fewest_prompts, least_p
from reports.statistics.holm import holm
from reports.statistics.improvement import probability_of_improvement
from reports.statistics.interval import Interval
from reports.statistics.iqm import interquartile_mean
from reports.statistics.missing import with_blank_for_diverged
from reports.statistics.p_value import PValue, is_significant
from reports.statistics.pairing import paired_differences
from reports.statistics.profile import performance_profile
from reports.statistics.rank_groups import has_too_few_to_rank, rank_groups
from reports.statistics.ratios import geometric_mean, geometric_sd, octaves_off
from reports.statistics.scores import StudyScores
from reports.statistics.share import share
from reports.statistics.sign_flip import has_test, p_without_each, sign_flip_test
from reports.statistics.unpaired import Moments, newcombe_interval, welch_interval
from reports.statistics.variance import VarianceComponents, variance_components
from reports.statistics.wilson import wilson_interval

__all__ = [
    "Estimate",
    "Interval",
    "Moments",
    "PValue",
    "PairedComparison",
    "StudyScores",
    "VarianceComponents",
    "compare_to_baseline",
    "fewest_prompts",
    "geometric_mean",
    "geometric_sd",
    "has_test",
    "has_too_few_to_rank",
    "holm",
    "interquartile_mean",
    "is_significant",
    "least_p",
    "mcnemar_test",
    "minimum_detectable_difference",
    "newcombe_interval",
    "octaves_off",
    "p_without_each",
    "paired_differences",
    "performance_profile",
    "probability_of_improvement",
    "prompt_bootstrap",
    "rank_groups",
    "share",
    "sign_flip_test",
    "variance_components",
    "welch_interval",
    "wilson_interval",
    "with_blank_for_diverged",
]

"""Comparison of methods with their baselines in one metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from reports.baselines import Baselines
from reports.statistics.bootstrap import prompt_bootstrap
from reports.statistics.detectable import minimum_detectable_difference
from reports.statistics.estimate import Estimate
from reports.statistics.holm import holm
from reports.statistics.improvement import probability_of_improvement
from reports.statistics.p_value import PValue
from reports.statistics.pairing import paired_differences
from reports.statistics.scores import StudyScores
from reports.statistics.sign_flip import sign_flip_test
from reports.statistics.values import prompt_means


@dataclass(frozen=True)
class PairedComparison:
    """Method − baseline over the prompts and seeds that both have."""

    method: str
    """Label of the arm."""
    baseline: str
    """Label of the arm that is subtracted."""
    difference: Estimate
    """Mean over prompts of the mean over seeds, in the metric's unit."""
    test: PValue
    """Sign-flip test of a mean difference of 0."""
    p_holm: float | None
    """p of the test, corrected by Holm for all methods that are compared."""
    effect_size: float | None
    """Mean of the prompts' differences in units of their SD (n − 1); None if there is no spread."""
    detectable: float | None
    """Smallest mean difference that these prompts with this spread detect with ``POWER``, in the metric's unit."""
    improvement: Estimate | None
    """Probability that the method beats the baseline on a prompt; None if no direction is better."""


def compare_to_baseline(
    scores: StudyScores,
    baseline: str,
    seed: int,
    *,
    own_baselines: Mapping[str, str] | None = None,
    higher_is_better: bool | None = True,
) -> list[PairedComparison]:
    """Compare every other method with its baseline, in the study's order; one metric is one family of tests.

    Args:
        scores: One metric of a study.
        baseline: Label of the arm that is subtracted.
        own_baselines: Label of another arm that is subtracted from an arm, by that arm's label.
        seed: Seed of the resamples, which methods with the same number of prompts share.
        higher_is_better: The metric's direction, None for none.

    Raises:
        ReportError: If a baseline is not a method.
    """
    scores.method(baseline)  # one method alone is compared with nothing, and its baseline is checked all the same
    baselines = Baselines(baseline, own_baselines or {})
    found = []
    for method in baselines.others(scores.methods):
        other = baselines.of(method)
        differences = paired_differences(scores.method(method), scores.method(other))
        means = prompt_means(differences)
        difference = prompt_bootstrap(differences, seed)
        # as in the bootstrap, round-off of a constant difference is no spread
        spread = float(means.std(ddof=1)) if len(means) > 1 and np.ptp(means) > 1e-9 * np.abs(means).max() else None
        improvement = None
        if higher_is_better is not None:
            improvement = probability_of_improvement(differences, seed, higher_is_better=higher_is_better)
        found.append(
            PairedComparison(
                method=method,
                baseline=other,
                difference=difference,
                test=sign_flip_test(differences, seed),
                p_holm=None,
                effect_size=float(means.mean()) / spread if spread else None,
                detectable=minimum_detectable_difference(spread, len(means)) if spread else None,
                improvement=improvement,
            )
        )
    corrected = holm([comparison.test.p for comparison in found])
    return [replace(comparison, p_holm=p) for comparison, p in zip(found, corrected, strict=True)]

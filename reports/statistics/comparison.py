"""A method against a baseline: everything that can be said about one metric."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from reports.statistics.bootstrap import Method, prompt_bootstrap
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
class Comparison:
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
    """The test's p, corrected by Holm for the methods compared with the baseline."""
    effect_size: float | None
    """Mean of the prompts' differences in units of their SD (n − 1); None where there is no spread."""
    detectable: float | None
    """Smallest mean difference that this many prompts of this spread show with 80 % power, in the metric's unit."""
    improvement: Estimate | None
    """Probability that the method beats the baseline on a prompt; None where neither direction is better."""


def compare_to_baseline(
    scores: StudyScores,
    baseline: str,
    seed: int,
    *,
    higher_is_better: bool | None = True,
    interval: Method = "bca",
    resamples: int = 10_000,
    flips: int = 99_999,
    level: float = 0.95,
) -> list[Comparison]:
    """Every other method against ``baseline``, in the study's order; one metric is one family of tests.

    Args:
        scores: One metric of a study.
        baseline: Label of the arm that is subtracted.
        seed: Of the resamples; all methods share the resampled prompts as far as they have equally many.
        higher_is_better: The metric's direction, None for neither.
        interval: Kind of the bootstrap interval.
        resamples: Number of bootstrap resamples.
        flips: Number of sign vectors of the test where they are not enumerated.
        level: Confidence level.

    Raises:
        ReportError: If there is no such baseline.
    """
    theirs = scores.method(baseline)
    found = []
    for method in (method for method in scores.methods if method != baseline):
        differences = paired_differences(scores.method(method), theirs)
        means = prompt_means(differences)
        difference = prompt_bootstrap(differences, seed, method=interval, resamples=resamples, level=level)
        # no spread where the bootstrap sees none: a constant difference has an SD of round-off
        spread = float(means.std(ddof=1)) if len(means) > 1 and np.ptp(means) > 1e-9 * np.abs(means).max() else None
        improvement = None
        if higher_is_better is not None:
            improvement = probability_of_improvement(
                differences, seed, higher_is_better=higher_is_better, resamples=resamples, level=level
            )
        found.append(
            Comparison(
                method=method,
                baseline=baseline,
                difference=difference,
                test=sign_flip_test(differences, seed, resamples=flips),
                p_holm=None,
                effect_size=float(means.mean()) / spread if spread else None,
                detectable=minimum_detectable_difference(spread, len(means), method="t") if spread else None,
                improvement=improvement,
            )
        )
    corrected = holm([comparison.test.p for comparison in found])
    return [replace(comparison, p_holm=p) for comparison, p in zip(found, corrected, strict=True)]

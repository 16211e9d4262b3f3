"""Ranking of methods, in which methods that cannot be distinguished share a group."""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from reports.statistics.comparable_means import comparable_means
from reports.statistics.constants import ALPHA, RANK_FLIPS
from reports.statistics.fewest_prompts import least_p
from reports.statistics.holm import holm
from reports.statistics.p_value import is_significant
from reports.statistics.pairing import paired_differences
from reports.statistics.scores import StudyScores
from reports.statistics.sign_flip import has_test, sign_flip_test
from reports.statistics.values import prompt_means


def rank_groups(scores: StudyScores, seed: int, *, higher_is_better: bool = True) -> list[tuple[str, ...]]:
    """Group methods, the best method's group first and the best of each group first (by ``comparable_means``).

    Two methods share a group if and only if the sign-flip test on their common prompts, corrected by Holm for all
    pairs, does not reject; so a method may be in several groups (the compact letter display of Piepho 2004).  If all
    methods are equally good, more than one group is found with a probability of at most ``ALPHA``.  Pairs with too few
    prompts share a group; a method without any score is in none.

    Args:
        scores: One metric of a study.
        seed: Seed of the sign flips.
        higher_is_better: The metric's direction.
    """
    means = comparable_means(scores)
    ranked = sorted(means, key=means.__getitem__, reverse=higher_is_better)
    pairs = list(combinations(ranked, 2))
    # Holm multiplies the smallest p by the number of pairs, and a p cannot be less than one in the number of vectors.
    resamples = max(RANK_FLIPS, math.ceil(10 * len(pairs) / ALPHA))
    tests = [
        sign_flip_test(paired_differences(scores.method(one), scores.method(other)), seed, resamples=resamples)
        for one, other in pairs
    ]
    corrected = holm([test.p for test in tests])
    apart = [pair for pair, p in zip(pairs, corrected, strict=True) if is_significant(p)]
    return _groups(ranked, apart)


def has_too_few_to_rank(scores: StudyScores) -> bool:
    """Whether no two methods could be distinguished, even if all prompts in which they differ agreed.

    A test of n prompts has p ≥ 2 / 2ⁿ, and Holm multiplies the smallest by the number of pairs.  So with few prompts,
    or in a score that few prompts have, that no two methods can be distinguished is no finding.  False if no pair has a
    test, as of methods that are all the same.
    """
    pairs = [
        prompt_means(paired_differences(scores.method(one), scores.method(other)))
        for one, other in combinations(scores.methods, 2)
    ]
    differing = [int(np.count_nonzero(means)) for means in pairs if has_test(means)]
    return bool(differing) and not is_significant(least_p(max(differing), len(differing)))


def _groups(ranked: list[str], apart: list[tuple[str, str]]) -> list[tuple[str, ...]]:
    """Find the largest sets without a pair of ``apart``: each pair splits the sets that contain both methods."""
    sets = {frozenset(ranked)} if ranked else set()
    for pair in apart:
        split = {
            part for group in sets for part in ([group - {m} for m in pair] if group.issuperset(pair) else [group])
        }
        sets = {group for group in split if not any(group < other for other in split)}
    place = {method: index for index, method in enumerate(ranked)}
    groups = [tuple(sorted(group, key=place.__getitem__)) for group in sets]
    return sorted(groups, key=lambda group: [place[method] for method in group])

"""Rank groups as one mark per entry."""

from __future__ import annotations

from reports.statistics import StudyScores, has_too_few_to_rank, rank_groups
from reports.statistics.comparable_means import comparable_means
from reports.statistics.constants import SEED
from reports.statistics.values import MIN_PROMPTS, prompt_means
from reports.table import TableColumn
from reports.tables.measured import compared_scores


def rank_of_each(scores: StudyScores, column: TableColumn) -> dict[str, int]:
    """Return the group of each method: 0 for the best and all that cannot be distinguished from it, then 1, 2, ….

    ``rank_groups`` finds which pairs differ, and a method may be in several of its groups.  Here it is in the first
    whose best method it does not differ from, so that a table needs one mark per entry.

    Returns:
        Groups by label; empty without a direction, if fewer than two methods have enough prompts, or if no test of a
        pair could distinguish two methods.
    """
    scores, higher = compared_scores(scores, column)
    if higher is None or not _two_have_enough(scores) or has_too_few_to_rank(scores):
        return {}
    alike = rank_groups(scores, SEED, higher_is_better=higher)
    means = comparable_means(scores)
    rest = sorted(means, key=means.__getitem__, reverse=higher)
    found: dict[str, int] = {}
    while rest:
        group = [method for method in rest if any({rest[0], method}.issubset(each) for each in alike)]
        found |= dict.fromkeys(group, max(found.values(), default=-1) + 1)
        rest = [method for method in rest if method not in group]
    return found


def cannot_be_ranked(scores: StudyScores, column: TableColumn) -> bool:
    """Whether a column has no groups because no test of a pair could distinguish two methods."""
    compared, higher = compared_scores(scores, column)
    return higher is not None and _two_have_enough(compared) and has_too_few_to_rank(compared)


def _two_have_enough(scores: StudyScores) -> bool:
    """Whether two methods or more have the prompts that an interval needs."""
    return sum(len(prompt_means(scores.method(method))) >= MIN_PROMPTS for method in scores.methods) > 1

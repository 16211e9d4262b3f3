"""The one mark that says which methods of a column the data cannot order."""

from __future__ import annotations

from reports.statistics import StudyScores, rank_groups
from reports.statistics.values import MIN_PROMPTS, prompt_means
from reports.table import Column
from reports.tables.measured import SEED, judged


def rank_of_each(scores: StudyScores, column: Column) -> dict[str, int]:
    """Group of each method: 0 for the best and all that cannot be distinguished from it, 1 for the best of the rest.

    ``rank_groups`` finds which pairs differ, and a method may be in several of its groups; here it has the first
    whose leader it does not differ from, so that a table needs one mark per entry.

    Returns:
        By label; empty where neither direction is better, or fewer than two methods have the prompts that it takes.
    """
    scores, higher = judged(scores, column)
    means = {method: prompt_means(scores.method(method)) for method in scores.methods}
    if higher is None or sum(len(each) >= MIN_PROMPTS for each in means.values()) < 2:
        return {}
    alike = rank_groups(scores, SEED, higher_is_better=higher)
    rest = sorted(
        (method for method in scores.methods if len(means[method])),
        key=lambda method: float(means[method].mean()),
        reverse=higher,
    )
    found: dict[str, int] = {}
    while rest:
        group = [method for method in rest if any({rest[0], method}.issubset(each) for each in alike)]
        found |= dict.fromkeys(group, max(found.values(), default=-1) + 1)
        rest = [method for method in rest if method not in group]
    return found

"""A table of paired differences in all scores that a page shows, those that contradict its sentences too."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np

from reports.render.markdown import line
from reports.render.printed import heading, number
from reports.statistics import holm, is_significant, least_p
from reports.statistics.constants import ALPHA
from reports.table import TableColumn
from reports.text.difference import Difference
from reports.text.study_numbers import StudyNumbers
from reports.text.words import TextError, word

_BETTER: Final = {True: "⁺", False: "⁻"}
#: Section of the pages' README that explains the marks.
_MARKS: Final = "how-to-read-the-differences"
_UNTESTABLE: Final = "†"
_DECIDED: Final = "°"


@dataclass(frozen=True)
class _Tested:
    """One entry: a difference, and the pairs of prompts that differ in it."""

    difference: Difference
    column: TableColumn
    pairs: int
    differing: int
    decided: bool
    is_better: bool

    @property
    def can_be_seen(self) -> bool:
        return self.differing > 0 and least_p(self.differing, 1) <= ALPHA


def differences_table(study: StudyNumbers, scores: str, pairs: Mapping[str, str], *, stub: str = "difference") -> str:
    """Print a row for each pair of arms with the differences in all scores, and below the table what its marks mean.

    A table of means invites comparisons, of which a text picks some.  Here are all of them: each with its interval, the
    mark of its test alone and after Holm's correction for the whole table, and whether one prompt decides.

    Args:
        study: The numbers.
        scores: Keys of the scores, each with its digits after a colon if they differ from the column's.
        pairs: ``"sdi sds"`` for SDI − SDS, by the row's name.
        stub: Heading of the rows' names.

    Raises:
        TextError: If a pair is not two arms, or has no prompt in common.
    """
    columns = [study.column(score) for score in scores.split()]
    tested = [[_tested(study, score, pair) for score in scores.split()] for pair in pairs.values()]
    corrected = iter(holm([each.difference.p_value if each.can_be_seen else None for row in tested for each in row]))
    prompts = max(each.pairs for row in tested for each in row)
    lines = [line([stub, *(_heading(column) for column in columns)])]
    lines += [line(["---", *["---:"] * len(columns)])]
    shown = ""
    for name, row in zip(pairs, tested, strict=True):
        entries = [_entry(each, next(corrected), prompts) for each in row]
        shown += "".join(entries)
        lines.append(line([name, *entries]))
    return "\n".join([*lines, "", _legend(shown, [each for row in tested for each in row], prompts)])


def _tested(study: StudyNumbers, score: str, pair: str) -> _Tested:
    arms = pair.split()
    if len(arms) != 2:
        raise TextError(f"{pair!r} is not a pair of arms, such as 'sdi sds'")
    values = study.paired(score, *arms)
    difference = study.difference(score, *arms)
    return _Tested(
        difference,
        study.column(score),
        len(values),
        int(np.count_nonzero(values)),
        bool(study.decided_by(score, *arms)),
        difference.value * study.better_sign(score) > 0,
    )


def _heading(column: TableColumn) -> str:
    if column.target is None:
        return heading(column)
    unit = "octaves" if column.is_ratio else column.unit
    return f"{column.title}, {f'{unit} ' if unit else ''}off ↓"


def _entry(tested: _Tested, p_holm: float | None, prompts: int) -> str:
    difference = tested.difference
    text = difference.signed_by
    if difference.comparison.difference.interval.low is not None:
        text += f" {difference.interval}"
    if difference.is_seen:
        text += _BETTER[tested.is_better] * (2 if is_significant(p_holm) else 1)
        text += _DECIDED if tested.decided else ""
    elif not tested.can_be_seen:
        text += _UNTESTABLE
    return text + (f" ({tested.pairs})" if tested.pairs < prompts else "")


def _legend(shown: str, tested: list[_Tested], prompts: int) -> str:
    """Count the marks of the table; what they mean stands in the README of the pages."""
    testable = [each for each in tested if each.can_be_seen]
    seen = sum(each.difference.is_seen for each in testable)
    by_chance = number(ALPHA * len(testable), 0)
    doubled = "⁺⁺" in shown or "⁻⁻" in shown
    corrected = "" if doubled else f" After Holm's correction none has p ≤ {ALPHA:g}."
    return (
        f"Mean differences over {word(prompts)} prompts, with 95 % intervals and [marks](README.md#{_MARKS}). "
        f"{seen} of {len(testable)} have a mark; at most about {by_chance} would if nothing differed.{corrected}"
    )

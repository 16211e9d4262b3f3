"""The changes of a run against another, and whether they are too much."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench.commands.condition import Condition, parse_condition
from bench.errors import InputError
from bench.study.imported_cell import imported_title
from reports.render.markdown import render
from reports.statistics import Estimate
from reports.statistics.constants import ALL_THE_SAME
from reports.table import Table


@dataclass(frozen=True)
class Comparison:
    """The changes of run B against run A."""

    table: Table
    """A row for each method that both have, a column for each metric; its entries hold the intervals."""
    estimates: dict[tuple[str, str], Estimate]
    """By method and column, in the printed unit; without the columns that are not comparable."""
    not_comparable: dict[str, str]
    """Why, by column, of the scores that mean another thing in B than in A."""
    only_in_a: tuple[str, ...]
    """A line for each method that B's study does not have."""
    lost: tuple[str, ...]
    """A line for each method of A with cells that B's study has, but its records lack, or that completed and failed."""
    diverged: Mapping[str, str]
    """A line, by method, where cells that completed in A diverged in B."""

    @property
    def markdown(self) -> str:
        """The table."""
        return render(self.table)

    def judge(self, conditions: Sequence[str]) -> list[str]:
        """Find why a gate fails, with a line each; a condition on a column without comparison never holds.

        Cells that B has lost could have met a condition, and are failures of their own.  So are those that diverged
        there, unless a condition says how many of its method may, and was judged.

        Raises:
            InputError: If a condition is malformed, or nothing else fails and the data cannot tell for any method.
        """
        parsed = [condition for condition in self._parse(conditions) if condition.column not in self.not_comparable]
        lines = [line for condition in parsed for line in self._holding(condition)]
        allowed = {method for each in parsed for method in self._may_diverge(each)}
        ended = [*self.lost, *(line for method, line in self.diverged.items() if method not in allowed)]
        lines += [f"--fail-if: {line}" for line in ended if conditions]
        for condition in [] if lines else parsed:
            unknown = self._unknown(condition)
            if len(unknown) == len(self._methods_of(condition)):
                why = " and ".join(dict.fromkeys(unknown.values()))
                raise InputError(f"--fail-if {condition.text!r}: the data cannot tell: {why}")
        return lines

    def unjudged(self, conditions: Sequence[str]) -> list[str]:
        """Find what the conditions were not judged on, with a line and the reason for each.

        Raises:
            InputError: If a condition is malformed.
        """
        lines = []
        for condition in self._parse(conditions):
            if condition.column in self.not_comparable:
                reasons = [self.not_comparable[condition.column]]
            else:
                reasons = [f"{method}: {why}" for method, why in self._unknown(condition).items()]
            reasons += self.only_in_a if condition.method is None else ()
            lines += [f"{condition.text}: not judged: {reason}" for reason in reasons]
        return lines

    def _parse(self, conditions: Sequence[str]) -> list[Condition]:
        columns = [column.key for column in self.table.columns]
        methods = [row.label.removesuffix(imported_title("")) for row in self.table.rows]
        return [parse_condition(text, methods=methods, columns=columns) for text in conditions]

    def _methods_of(self, condition: Condition) -> list[str]:
        """The rows that a condition is about, one of which is enough; an imported arm is named by its own label."""
        rows = [row.label for row in self.table.rows]
        named = condition.method
        return rows if named is None else [row for row in rows if row in {named, imported_title(named)}]

    def _holding(self, condition: Condition) -> list[str]:
        values = {method: self._value(method, condition) for method in self._methods_of(condition)}
        return [
            f"{condition.text}: holds for {method}, {condition.part} {value:.4g}"
            for method, value in values.items()
            if value is not None and condition.holds(value)
        ]

    def _may_diverge(self, condition: Condition) -> list[str]:
        """The methods of which a condition says how many cells may diverge: it sets an upper limit, and is judged."""
        if condition.column != "diverged" or not condition.sets_upper_limit:
            return []
        return [method for method in self._methods_of(condition) if self._value(method, condition) is not None]

    def _unknown(self, condition: Condition) -> dict[str, str]:
        """Why, by method, there is no value to judge."""
        return {
            method: self.estimates[method, condition.column].interval.reason
            for method in self._methods_of(condition)
            if self._value(method, condition) is None
        }

    def _value(self, method: str, condition: Condition) -> float | None:
        """The part of an estimate that a condition is about.

        Where all differences are the same, such as those of a run to itself, a table claims no interval, but a gate
        that could not be passed by changing nothing would be none: both ends are the mean.
        """
        estimate = self.estimates[method, condition.column]
        interval = estimate.interval
        if condition.part == "mean" or interval.reason == ALL_THE_SAME:
            return estimate.value
        return interval.low if condition.part == "low" else interval.high

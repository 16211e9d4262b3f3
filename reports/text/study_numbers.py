"""The numbers of one study, by names that a text uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd
from scipy import stats

from reports.frames import DIVERGED, listed
from reports.render.printed import number
from reports.report_data import ReportData
from reports.statistics import compare_to_baseline, is_significant, p_without_each, paired_differences, sign_flip_test
from reports.statistics.constants import SEED
from reports.statistics.values import Floats, prompt_means
from reports.table import TableColumn
from reports.tables.columns import compared_column, mean_of, score_columns
from reports.tables.differences import verdict
from reports.tables.measured import Measured, compared_scores
from reports.text.difference import Difference
from reports.text.words import TextError, span


@dataclass(frozen=True)
class StudyNumbers:
    """Means and differences of a study's arms in printed units.

    Arms are given as a list of labels or as text, ``"sds ism sdi"``; a score by the key of its column, and digits
    other than the column's after a colon, ``"quality:0"``.  Wherever an arm, a score or a control does not exist, a
    ``ReportError`` or ``TextError`` says so.
    """

    data: ReportData
    """The data of the study's report."""

    @cached_property
    def measured(self) -> Measured:
        """The arrays behind the numbers."""
        return Measured(self.data.frames, self.data.baseline, self.data.own_baselines)

    @property
    def arms(self) -> list[str]:
        """Labels of all arms, in the study's order."""
        return self.data.frames.methods

    @property
    def cells(self) -> int:
        """Number of cells."""
        return len(self.data.frames.cells)

    @property
    def prompts(self) -> int:
        """Number of prompts."""
        return len(self.data.frames.prompts)

    @property
    def diverged(self) -> int:
        """Number of cells that diverged."""
        return int(self.data.frames.cells["status"].isin(DIVERGED).sum())

    def without(self, prompt: str) -> StudyNumbers:
        """The same study without a prompt."""
        if prompt not in self.data.frames.prompts:
            raise TextError(f"{prompt!r} is not a prompt of the study")
        return self._on([each for each in self.data.frames.prompts if each != prompt])

    def on_prompts_of(self, other: StudyNumbers) -> StudyNumbers:
        """The same study on the prompts of another one, all of which it must have."""
        if missing := set(other.data.frames.prompts) - set(self.data.frames.prompts):
            raise TextError(f"{sorted(missing)} are not prompts of the study")
        return self._on(list(other.data.frames.prompts))

    def of_seed(self, seed: int) -> StudyNumbers:
        """The same study with one of its seeds."""
        frames = self.data.frames
        if seed not in set(frames.cells["seed"]):
            raise TextError(f"{seed} is not a seed of the study")
        kept = {name: rows[rows["seed"] == seed] for name, rows in self._rows("cells", "scores").items()}
        return StudyNumbers(replace(self.data, frames=replace(frames, **kept)))

    def _on(self, prompts: Sequence[str]) -> StudyNumbers:
        rows = self._rows("cells", "scores", "controls")
        kept = {name: each[each["prompt_id"].isin(prompts)] for name, each in rows.items()}
        return StudyNumbers(replace(self.data, frames=replace(self.data.frames, **kept)))

    def _rows(self, *names: str) -> dict[str, pd.DataFrame]:
        return {name: getattr(self.data.frames, name) for name in names}

    def column(self, score: str) -> TableColumn:
        """The column of a score, with the digits that are asked for."""
        key, _, decimals = score.partition(":")
        if key not in self._columns:
            raise TextError(f"{key!r} is not a score of the study")
        found = self._columns[key]
        return replace(found, decimals=int(decimals)) if decimals else found

    @cached_property
    def _columns(self) -> dict[str, TableColumn]:
        return {column.key: column for column in score_columns(self.data.frames)}

    def of_prompts(self, score: str, arm: str) -> Floats:
        """The means of the prompts that have a value."""
        return prompt_means(self.measured.scores(self.column(score).key).method(arm))

    def value(self, score: str, arm: str) -> float:
        """The mean over prompts, or of a ratio the geometric mean."""
        return self._mean(score, self.of_prompts(score, arm), arm)

    def values(self, score: str, arms: str | Sequence[str]) -> list[float]:
        """The means of several arms."""
        return [self.value(score, arm) for arm in split(arms)]

    def mean(self, score: str, arms: str | Sequence[str]) -> str:
        """Print the means of one arm or more: ``70.0, 69.9, 66.2``."""
        return ", ".join(number(value, self.column(score).decimals) for value in self.values(score, arms))

    def range(self, score: str, arms: str | Sequence[str]) -> str:
        """Print the least and the greatest mean of several arms: ``107 to 126``."""
        return span(self.values(score, arms), self.column(score).decimals)

    def n(self, score: str, arm: str) -> int:
        """Number of prompts that have a value."""
        return len(self.of_prompts(score, arm))

    def prompt(self, score: str, arm: str, prompt: str) -> float:
        """The score of one prompt, averaged over its seeds."""
        scores = self.measured.scores(self.column(score).key)
        if prompt not in scores.prompts:
            raise TextError(f"{prompt!r} is not a prompt of the study")
        values = prompt_means(scores.method(arm)[[scores.prompts.index(prompt)]])
        return _finite(float(values[0]) if len(values) else np.nan, f"{score}: {arm} on {prompt}")

    def control_value(self, score: str, control: str) -> float:
        """The mean over prompts of a control."""
        return self._mean(
            score, np.array(list(self.measured.controls(control, self.column(score).key).values())), control
        )

    def control(self, score: str, control: str) -> str:
        """The same, printed."""
        return number(self.control_value(score, control), self.column(score).decimals)

    def above(self, score: str, bound: float, arms: str | Sequence[str] = ()) -> list[str]:
        """The arms whose mean is above a bound, from the highest."""
        found = [arm for arm in split(arms) or self.arms if self.value(score, arm) > bound]
        return sorted(found, key=lambda arm: -self.value(score, arm))

    def highest(self, score: str, arms: str | Sequence[str] = ()) -> list[str]:
        """All arms, from the highest mean to the lowest."""
        return self.above(score, -np.inf, arms)

    def difference(self, score: str, arm: str, other: str, *, family: str | Sequence[str] = ()) -> Difference:
        """Compare two arms over the prompts and seeds that both have.

        Args:
            score: Key of the score.
            arm: Label of the arm.
            other: Label of the arm that is subtracted.
            family: All arms that are compared with ``other``, for which p is corrected by Holm; without any, p is
                that of this pair alone.
        """
        column = self.column(score)
        if family and arm not in split(family):
            raise TextError(f"{score}: {arm!r} is not one of the family")
        found = self.measured.compare(column, arm, other, split(family))
        comparison = found if family else replace(found, p_holm=None)
        return Difference(
            f"{score}, {arm} − {other}", comparison, _decimals(score, column), is_distance=column.target is not None
        )

    def differences(self, score: str, pairs: Mapping[str, Sequence[str]]) -> dict[str, Difference]:
        """Compare the two arms of each pair in a score; the differences have the pairs' names."""
        return {name: self.difference(score, arm, other) for name, (arm, other) in pairs.items()}

    def difference_of_differences(self, score: str, pair: Sequence[str], other: Sequence[str]) -> Difference:
        """Compare the difference of two arms with that of two others, over the prompts and seeds that all four have.

        Of a score with a target, these are the differences of the distances to it.

        Args:
            score: Key of the score.
            pair: Labels of the arm and of the arm that is subtracted from it.
            other: The same of the difference that is subtracted.
        """
        column = self.column(score)
        scores, _ = compared_scores(self.measured.scores(column.key), column)
        labels = tuple(" − ".join(arms) for arms in (pair, other))
        means = [paired_differences(scores.method(arm), scores.method(less)) for arm, less in (pair, other)]
        (found,) = compare_to_baseline(replace(scores, methods=labels, means=np.stack(means)), labels[1], SEED)
        what = f"{score}, ({labels[0]}) − ({labels[1]})"
        return Difference(what, replace(found, p_holm=None), _decimals(score, column), is_distance=False)

    def judged(self, score: str, result: str, arms: str | Sequence[str] = ()) -> list[str]:
        """The arms whose verdict against their baseline, by the report, is ``result``: ``better`` or ``worse``.

        Its p-values are corrected by Holm for all arms of the study.
        """
        column = self.column(score)
        found, compared = self.measured.comparisons(column), compared_column(column)
        chosen = split(arms) or list(found)
        if not found.keys() >= set(chosen):
            raise TextError(f"{', '.join(chosen)}: one of them is compared with no baseline")
        return [arm for arm in chosen if verdict(found[arm], compared) == result]

    def paired(self, score: str, arm: str, other: str) -> Floats:
        """The differences of two arms, arm − other, on each prompt that both have, in the study's order.

        Of a score with a target, those of the distances to it.
        """
        return prompt_means(self._paired(score, arm, other))

    def each_difference(self, score: str, arm: str, other: str) -> str:
        """Print the differences of the prompts, with their signs: ``+40.6 and +3.7``."""
        column = self.column(score)
        differences = self.paired(score, arm, other)
        return listed((number(value, _decimals(score, column), signed=True) for value in differences), "and")

    def each(self, score: str, arm: str) -> str:
        """Print the scores of the prompts, in the study's order: ``72.0 and 65.2``."""
        return listed(self._printed(score, arm), "and")

    def direction(self, score: str, arm: str, other: str) -> str:
        """``better`` or ``worse`` if the arm's score is so on every prompt, in printed digits; otherwise nothing."""
        printed = self._printed(score, arm), self._printed(score, other)
        if any(one == two for one, two in zip(*printed, strict=True)):
            return ""
        signs = set(np.sign(self.paired(score, arm, other)))
        better = self.better_sign(score)
        return {(better,): "better", (-better,): "worse"}.get(tuple(signs), "")

    def better_sign(self, score: str) -> int:
        """The sign of a difference in the score that is better."""
        direction = compared_column(self.column(score)).direction
        if direction not in ("up", "down"):
            raise TextError(f"{score} has no better direction")
        return 1 if direction == "up" else -1

    def _printed(self, score: str, arm: str) -> list[str]:
        decimals = self.column(score).decimals
        return [number(self.prompt(score, arm, prompt), decimals) for prompt in self.data.frames.prompts]

    def decided_by(self, score: str, arm: str, other: str) -> list[str]:
        """The prompts without which p of the pair alone would be on the other side of ``ALPHA``."""
        differences = self._paired(score, arm, other)
        whole, without = sign_flip_test(differences, SEED).p, p_without_each(differences, SEED)
        prompts = self.measured.scores(self.column(score).key).prompts
        return [
            prompt for prompt, p in zip(prompts, without, strict=True) if is_significant(p) != is_significant(whole)
        ]

    def wins(self, score: str, arm: str, other: str) -> int:
        """Number of prompts on which the arm's score is higher."""
        scores = self.measured.scores(self.column(score).key)
        return int((prompt_means(scores.method(arm) - scores.method(other)) > 0).sum())

    def prompts_above(self, score: str, arm: str, control: str) -> int:
        """Number of prompts on which the arm's score, averaged over its seeds, is higher than a control's."""
        bounds = self.measured.controls(control, self.column(score).key)
        if not bounds:
            raise TextError(f"{score}: {control} has no value")
        return sum(self.prompt(score, arm, prompt) > bound for prompt, bound in bounds.items())

    def tau(
        self, score: str, arms: str | Sequence[str], others: str | Sequence[str], study: StudyNumbers | None = None
    ) -> float:
        """Kendall's τ between the means of two lists of arms of the same length; the second may be another study's."""
        first, second = self.values(score, arms), (study or self).values(score, others)
        if len(first) != len(second):
            raise TextError(
                f"{score}: Kendall's τ needs two lists of the same length, not {len(first)} and {len(second)}"
            )
        return _finite(float(stats.kendalltau(first, second).statistic), f"{score}: Kendall's τ")

    def cost(self, source: str, arm: str) -> float:
        """The mean over prompts of a numeric column of the cells, such as ``unet_rows``, in its unit."""
        if source not in self.data.frames.cells:
            raise TextError(f"{source!r} is not a column of the cells")
        costs = prompt_means(self.measured.cost(source).method(arm))
        return _finite(float(costs.mean()) if len(costs) else np.nan, f"{source} of {arm}")

    def cost_ratio(self, source: str, arm: str, other: str) -> float:
        """The geometric mean over prompts of arm / other in such a column, over the pairs that both have."""
        costs = self.measured.cost(source)
        ratios = prompt_means(np.log(costs.method(arm) / costs.method(other)))
        return _finite(float(np.exp(ratios.mean())) if len(ratios) else np.nan, f"{source}: {arm} / {other}")

    def _paired(self, score: str, arm: str, other: str) -> Floats:
        column = self.column(score)
        scores, _ = compared_scores(self.measured.scores(column.key), column)
        return paired_differences(scores.method(arm), scores.method(other))

    def _mean(self, score: str, values: Floats, what: str) -> float:
        return _finite(float(mean_of(self.column(score))(values)) if len(values) else np.nan, f"{score}: {what}")


def _decimals(score: str, column: TableColumn) -> int:
    """Digits of a difference: those that were asked for, or those of the compared column."""
    return column.decimals if ":" in score else compared_column(column).decimals


def _finite(value: float, what: str) -> float:
    """Refuse a number that no sentence can have."""
    if not np.isfinite(value):
        raise TextError(f"{what} has no value")
    return value


def split(arms: str | Iterable[str]) -> list[str]:
    """Split text into labels; a list of labels stays one."""
    return arms.split() if isinstance(arms, str) else list(arms)

"""A study's numbers as arrays, from which tables take their entries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from reports.baselines import Baselines
from reports.frames import ReportFrames
from reports.means import asset_means, control_means
from reports.statistics import (
    Estimate,
    PairedComparison,
    StudyScores,
    compare_to_baseline,
    geometric_sd,
    holm,
    is_significant,
    octaves_off,
    p_without_each,
    paired_differences,
    prompt_bootstrap,
)
from reports.statistics.bootstrap import Statistic
from reports.statistics.constants import SEED
from reports.statistics.values import Floats, prompt_means
from reports.table import Entry, TableColumn
from reports.tables.columns import mean_of


@dataclass(frozen=True)
class Measured:
    """The frames of a study and the numbers that are computed from them, each once."""

    frames: ReportFrames
    baseline: str
    """Label of the arm that others are compared with."""
    own_baselines: Mapping[str, str] = field(default_factory=dict)
    """Label of another arm that an arm is compared with, by that arm's label."""
    _scores: dict[str, StudyScores] = field(default_factory=dict, init=False, repr=False)
    _costs: dict[str, StudyScores] = field(default_factory=dict, init=False, repr=False)
    _comparisons: dict[str, list[PairedComparison]] = field(default_factory=dict, init=False, repr=False)
    _families: dict[tuple[str, tuple[str, ...]], list[PairedComparison]] = field(
        default_factory=dict, init=False, repr=False
    )

    @property
    def methods(self) -> list[str]:
        """Labels of the arms, in the study's order."""
        return self.frames.methods

    @cached_property
    def baselines(self) -> Baselines:
        """The arms that others are compared with."""
        return Baselines(self.baseline, self.own_baselines)

    @property
    def others(self) -> list[str]:
        """Labels of all arms but the baseline."""
        return self.baselines.others(self.methods)

    @cached_property
    def completed(self) -> pd.DataFrame:
        """The rows of completed cells."""
        return self.frames.cells[self.frames.cells["status"] == "completed"]

    @cached_property
    def scales(self) -> dict[str, float]:
        """Factor from the stored to the printed value of each metric."""
        metrics = self.frames.metric_columns
        return dict(zip(metrics["metric"], metrics["scale"].astype(float), strict=True))

    @cached_property
    def divergence(self) -> StudyScores:
        """1 for a cell that diverged, 0 for one that did not, NaN for one that failed or was not run."""
        return StudyScores.divergence(self.frames.cells)

    def scores(self, metric: str) -> StudyScores:
        """Return the means of the assets in the printed unit; NaN for cells that did not complete."""
        if metric not in self._scores:
            self._scores[metric] = StudyScores.of(self._assets, self.frames.cells, metric)
        return self._scores[metric]

    def cost(self, source: str) -> StudyScores:
        """Return a numeric column of the cells; NaN for cells that did not complete or lack it."""
        if source not in self._costs:
            rows = self.completed.assign(metric=source, value=pd.to_numeric(self.completed[source]).astype(float))
            self._costs[source] = StudyScores.of(rows, self.frames.cells, source)
        return self._costs[source]

    def comparisons(self, column: TableColumn) -> Mapping[str, PairedComparison]:
        """Compare each other method with its baseline in a metric, by label."""
        if column.key not in self._comparisons:
            scores, better = compared_scores(self.scores(column.key), column)
            self._comparisons[column.key] = compare_to_baseline(
                scores, self.baseline, SEED, own_baselines=self.own_baselines, higher_is_better=better
            )
        return {comparison.method: comparison for comparison in self._comparisons[column.key]}

    def depends_on(self, column: TableColumn) -> Mapping[str, list[str]]:
        """Name the prompts without which Holm's p of ``comparisons`` would be on the other side of ``ALPHA``, by label.

        The interval, which a verdict needs as well, is not computed again.
        """
        scores, _ = compared_scores(self.scores(column.key), column)
        found = self.comparisons(column)
        alone = [
            p_without_each(paired_differences(scores.method(each.method), scores.method(each.baseline)), SEED)
            for each in found.values()
        ]
        without = [holm(of_prompt) for of_prompt in zip(*alone, strict=True)]
        return {
            each.method: [
                prompt
                for prompt, corrected in zip(scores.prompts, without, strict=True)
                if is_significant(corrected[place]) != is_significant(each.p_holm)
            ]
            for place, each in enumerate(found.values())
        }

    def compare(self, column: TableColumn, arm: str, other: str, family: Sequence[str] = ()) -> PairedComparison:
        """Compare two arms in a metric, over the prompts and seeds that both have.

        Args:
            column: Column of the metric.
            arm: Label of the arm.
            other: Label of the arm that is subtracted.
            family: All arms that are compared with ``other``, for which p is corrected; without any, ``arm`` alone.
        """
        labels = (other, *(family or [arm]))
        key = (column.key, labels)
        if key not in self._families:
            scores, better = compared_scores(self.scores(column.key), column)
            chosen = replace(scores, methods=labels, means=np.stack([scores.method(label) for label in labels]))
            self._families[key] = compare_to_baseline(chosen, other, SEED, higher_is_better=better)
        return next(comparison for comparison in self._families[key] if comparison.method == arm)

    def controls(self, control: str, metric: str) -> dict[str, float]:
        """Average over the views of a control, for each prompt that has it, in the printed unit."""
        return control_means(self.frames, control, metric)

    def cells(self, scores: StudyScores, *methods: str) -> tuple[str, ...]:
        """Return the identities of the cells of ``methods`` that have a value in ``scores``, in the study's order."""
        grid = self._identities
        found: list[str] = []
        for method in methods:
            prompts, seeds = np.nonzero(~np.isnan(scores.method(method)))
            keys = [(method, scores.prompts[p], scores.seeds[s]) for p, s in zip(prompts, seeds, strict=True)]
            found += [grid[key] for key in keys if key in grid]
        return tuple(found)

    def pairs(self, scores: StudyScores, method: str, other: str) -> tuple[str, ...]:
        """Return the identities of the cells of two methods that form pairs."""
        apart = np.isnan(scores.method(method)) | np.isnan(scores.method(other))
        return self.cells(replace(scores, means=np.where(apart, np.nan, scores.means)), method, other)

    def mean_entry(self, scores: StudyScores, method: str, column: TableColumn, **more: Any) -> Entry:
        """Make the entry of a method in a score: mean and SD over prompts and the mean's interval.

        ``more`` are further fields.
        """
        return score_entry(scores.method(method), column, cells=self.cells(scores, method), **more)

    @cached_property
    def _assets(self) -> pd.DataFrame:
        return asset_means(self.frames)

    @cached_property
    def _identities(self) -> dict[tuple[str, str, int], str]:
        cells = self.frames.cells
        return {
            (method, prompt, seed): cell
            for method, prompt, seed, cell in zip(
                cells["method"], cells["prompt_id"], cells["seed"], cells["cell"], strict=True
            )
        }


def compared_scores(scores: StudyScores, column: TableColumn) -> tuple[StudyScores, bool | None]:
    """Return the scores by which methods are compared, and whether higher ones are better (None without a direction).

    With a target these are the distances to it, for which lower is better; that of a ratio is its |log2|.
    """
    if column.target is not None and column.is_ratio:
        return replace(scores, means=octaves_off(scores.means, target=column.target)), False
    if column.target is not None:
        return replace(scores, means=np.abs(scores.means - column.target)), False
    return scores, {"up": True, "down": False}.get(column.direction or "")


def entry_of(values: ArrayLike, *, statistic: Statistic = np.mean, **more: Any) -> Entry:
    """Make an entry of a statistic, SD (n − 1) and number of the prompts' means, and the statistic's interval.

    Args:
        values: (prompts,) or (prompts, seeds); NaN where a cell has none.
        statistic: Function that reduces the prompts to one number.
        more: Further fields of the entry.
    """
    means: Floats = prompt_means(values)
    estimate = prompt_bootstrap(values, SEED, statistic=statistic)
    spread = float(means.std(ddof=1)) if len(means) > 1 and np.isfinite(means).all() else None
    return estimate_entry(estimate, **({"sd": spread} | more))


def score_entry(values: ArrayLike, column: TableColumn, **more: Any) -> Entry:
    """Make the entry of a score by ``entry_of``: for a ratio, the geometric mean and its SD as a factor."""
    if column.is_ratio and column.target is not None:
        more = {"sd": None, "sd_factor": geometric_sd(prompt_means(values), target=column.target)} | more
    return entry_of(values, statistic=mean_of(column), **more)


def estimate_entry(estimate: Estimate, *, factor: float = 1.0, **more: Any) -> Entry:
    """Make an entry of an estimate times ``factor``; ``more`` are further fields."""
    low, high = estimate.interval.low, estimate.interval.high
    return Entry(
        mean=None if estimate.value is None else factor * estimate.value,
        n=estimate.n,
        low=None if low is None else factor * low,
        high=None if high is None else factor * high,
        **({"why": estimate.interval.reason} | more),
    )

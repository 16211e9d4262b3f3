"""Numbers of one prompt under one method that figures put on an axis: scores and costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pandas as pd

from reports.costs import study_costs
from reports.figures.drawing.marks import Mark
from reports.frames import ReportError, ReportFrames
from reports.means import asset_means
from reports.render.printed import heading
from reports.statistics import StudyScores
from reports.statistics.bootstrap import Statistic
from reports.statistics.values import prompt_means
from reports.tables.columns import compared_column, mean_of, score_columns
from reports.tables.measured import compared_scores


@dataclass(frozen=True)
class Quantity:
    """One number per method and prompt, of completed cells only."""

    name: str
    label: str
    higher_is_better: bool | None  # None without a direction
    scores: StudyScores
    mean: Statistic = np.mean  # over prompts

    def marks(self) -> list[Mark]:
        """Make the mark of each method, in the study's order."""
        return [Mark.of(method, self.scores.method(method), self.mean) for method in self.scores.methods]

    def means(self, table: pd.DataFrame, by: str) -> pd.Series:
        """Average the ``value`` of the prompts of ``table`` for each value of its column ``by``, in their order."""
        groups = table.groupby(by, sort=False)["value"]
        return pd.Series({name: float(self.mean(own.to_numpy(), axis=-1)) for name, own in groups}, dtype=float)

    @cached_property
    def table(self) -> pd.DataFrame:
        """Means over seeds: ``method, prompt_id, value``, without prompts that a method lacks."""
        scores = self.scores
        index = pd.MultiIndex.from_product([scores.methods, scores.prompts], names=["method", "prompt_id"])
        known = ~np.isnan(scores.means).all(axis=2)
        means = np.full(known.shape, np.nan)
        means[known] = prompt_means(scores.means[known])
        return pd.Series(means.ravel(), index, name="value")[known.ravel()].reset_index()


def quantities(frames: ReportFrames, names: Sequence[str], *, compared: bool = False) -> list[Quantity]:
    """Return the quantities called ``names``: columns of metrics, or columns of cells that are costs.

    Args:
        frames: The study's results.
        names: Names of the quantities.
        compared: Whether a metric with a target is replaced by the distance to it, for which lower is better.

    Raises:
        ReportError: If a name is unknown.
    """
    columns = {column.key: column for column in score_columns(frames)}
    costs = {cost.source: cost for cost in study_costs(frames)}
    assets = asset_means(frames)
    found = []
    for name in names:
        if name in costs:
            own = frames.cells[frames.cells["status"] == "completed"].astype({name: float})
            own = own.assign(metric=name, value=own[name] / costs[name].size)
            label = f"{costs[name].title} ({costs[name].unit})"
            found.append(Quantity(name, label, False, StudyScores.of(own, frames.cells, name)))
        elif name in columns:
            column, scores = columns[name], StudyScores.of(assets, frames.cells, name)
            if compared:
                scores, better = compared_scores(scores, column)
                column = compared_column(column)
            else:
                better = {"up": True, "down": False}.get(column.direction or "")
            found.append(Quantity(name, heading(column), better, scores, mean_of(column)))
        else:
            raise ReportError(f"metrics: {name!r} is not one of {', '.join([*columns, *costs])}")
    return found

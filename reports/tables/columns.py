"""Columns of scores: every metric of the frames, in one order for all tables, figures and pages."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from functools import partial
from typing import Any, Final

import numpy as np
import pandas as pd

from reports.frames import ReportFrames
from reports.statistics import geometric_mean
from reports.statistics.bootstrap import Statistic
from reports.table import Direction, TableColumn

_DIRECTIONS: Final[dict[str, Direction]] = {"higher": "up", "lower": "down", "target": "target"}


def score_columns(frames: ReportFrames, names: Collection[str] | None = None) -> list[TableColumn]:
    """Return the columns of all metrics, in the order of the frames; only those called ``names``, if given.

    The points of a curve (group ``spectrum``) are not among them: no table shows them.
    """
    rows = [row for row in frames.metric_columns.to_dict("records") if row["group"] != "spectrum"]
    return [_score_column(row) for row in rows if names is None or row["metric"] in names]


def spectrum_columns(frames: ReportFrames) -> list[TableColumn]:
    """Return the points of the curve of power against frequency, from the lowest octave."""
    rows = frames.metric_columns.to_dict("records")
    return [_score_column(row) for row in rows if row["group"] == "spectrum"]


def headline_scores(frames: ReportFrames, group: str | None = None) -> list[TableColumn]:
    """Return the columns that tables and figures show: scores of images, then those of the truth.

    Args:
        frames: The study's results.
        group: ``image`` or ``truth``, for the columns of one group only.
    """
    rows = frames.metric_columns.to_dict("records")
    rows = [row for row in rows if row["group"] != "spectrum"]
    shown = [row for row in rows if row["headline"] and group in (None, row["group"])]
    return [_score_column(row) for row in sorted(shown, key=lambda row: row["group"] == "truth")]


def compared_column(column: TableColumn) -> TableColumn:
    """Return the column by which methods are compared: with a target, the distance to it, for which lower is better.

    The distance of a ratio is the size of its logarithm to base 2.
    """
    if column.target is None:
        return column
    if column.is_ratio:
        return TableColumn(column.key, f"|log2({column.title} / {column.target:g})|", direction="down", decimals=2)
    return TableColumn(
        column.key, f"|{column.title} − {column.target:g}|", column.unit, "down", decimals=column.decimals
    )


def mean_of(column: TableColumn) -> Statistic:
    """Return the mean over prompts of a column: arithmetic, or geometric for a ratio to its target."""
    if column.is_ratio and column.target is not None:
        return partial(geometric_mean, target=column.target)
    return np.mean


def _score_column(row: dict[Hashable, Any]) -> TableColumn:
    direction, unit = row["direction"], row["unit"]
    return TableColumn(
        key=str(row["metric"]),
        title=str(row["title"]),
        unit="" if pd.isna(unit) else str(unit),
        direction=None if pd.isna(direction) else _DIRECTIONS[direction],
        decimals=int(row["decimals"]),
        target=None if pd.isna(row["target"]) else float(row["target"]),
        is_ratio=row["mean"] == "geometric",
    )

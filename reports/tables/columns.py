"""Columns of scores: every metric of the frames, in one order for all tables, figures and pages."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from typing import Any, Final

import pandas as pd

from reports.frames import ReportFrames
from reports.table import Direction, TableColumn

_DIRECTIONS: Final[dict[str, Direction]] = {"higher": "up", "lower": "down", "target": "target"}


def score_columns(frames: ReportFrames, names: Collection[str] | None = None) -> list[TableColumn]:
    """Return the columns of all metrics, in the order of the frames; only those called ``names``, if given."""
    rows = frames.metric_columns.to_dict("records")
    return [_score_column(row) for row in rows if names is None or row["metric"] in names]


def headline_scores(frames: ReportFrames, group: str | None = None) -> list[TableColumn]:
    """Return the columns that tables and figures show: scores of images, then those of the truth.

    Args:
        frames: The study's results.
        group: ``image`` or ``truth``, for the columns of one group only.
    """
    rows = frames.metric_columns.to_dict("records")
    shown = [row for row in rows if row["headline"] and group in (None, row["group"])]
    return [_score_column(row) for row in sorted(shown, key=lambda row: row["group"] == "truth")]


def compared_column(column: TableColumn) -> TableColumn:
    """Return the column by which methods are compared: with a target, the distance to it, for which lower is better."""
    if column.target is None:
        return column
    return TableColumn(
        column.key, f"|{column.title} − {column.target:g}|", column.unit, "down", decimals=column.decimals
    )


def _score_column(row: dict[Hashable, Any]) -> TableColumn:
    direction, unit = row["direction"], row["unit"]
    return TableColumn(
        key=str(row["metric"]),
        title=str(row["title"]),
        unit="" if pd.isna(unit) else str(unit),
        direction=None if pd.isna(direction) else _DIRECTIONS[direction],
        decimals=int(row["decimals"]),
        target=None if pd.isna(row["target"]) else float(row["target"]),
    )

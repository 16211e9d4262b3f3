"""Columns of scores and of costs, as every table has them."""

from __future__ import annotations

from collections.abc import Collection, Hashable
from dataclasses import dataclass
from typing import Any, Final

import pandas as pd

from reports.frames import ReportFrames
from reports.table import Column, Direction

_DIRECTIONS: Final[dict[str, Direction]] = {"higher": "up", "lower": "down", "target": "target"}
#: Seconds from which a column of times is in minutes.
_LONG = 1200.0


@dataclass(frozen=True)
class Cost:
    """A column of what a cell cost."""

    column: Column
    source: str  # column of ReportFrames.cells
    size: float  # of one unit of the column, in units of the source


def score_columns(frames: ReportFrames, names: Collection[str] | None = None) -> list[Column]:
    """Columns of the metrics that the frames have, in their order; only those called ``names``, where given."""
    rows = frames.metric_columns.to_dict("records")
    return [_score_column(row) for row in rows if names is None or row["metric"] in names]


def headline_scores(frames: ReportFrames, group: str | None = None) -> list[Column]:
    """The scores that tables show: of images, then those against the truth; only of one ``group``, where given."""
    rows = frames.metric_columns.to_dict("records")
    shown = [row for row in rows if row["headline"] and group in (None, row["group"])]
    return [_score_column(row) for row in sorted(shown, key=lambda row: row["group"] == "truth")]


def _score_column(row: dict[Hashable, Any]) -> Column:
    direction, unit = row["direction"], row["unit"]
    return Column(
        key=str(row["metric"]),
        title=str(row["title"]),
        unit="" if pd.isna(unit) else str(unit),
        direction=None if pd.isna(direction) else _DIRECTIONS[direction],
        decimals=int(row["decimals"]),
        target=None if pd.isna(row["target"]) else float(row["target"]),
    )


def cost_columns(frames: ReportFrames) -> list[Cost]:
    """Time, memory, energy where any cell knows it, and the rows that the prior's network evaluated."""
    cells = frames.cells
    completed = cells.loc[cells["status"] == "completed", "optimise_seconds"].astype(float)
    minutes = bool((completed >= _LONG).any())
    kinds = memory_kinds(cells)
    memory = f"memory ({kinds})" if kinds and "+" not in kinds else "memory"
    costs = [
        Cost(
            Column("time", "time", "min" if minutes else "s", "down", decimals=1),
            "optimise_seconds",
            60.0 if minutes else 1.0,
        ),
        Cost(Column("memory", memory, "GB", "down"), "peak_bytes", 1e9),
    ]
    if cells["energy_joules"].notna().any():
        costs.append(Cost(Column("energy", "energy", "kJ", "down", decimals=1), "energy_joules", 1e3))
    costs.append(Cost(Column("unet_rows", "UNet rows", "10³", "down", decimals=1), "unet_rows", 1e3))
    return costs


def memory_kinds(cells: pd.DataFrame) -> str:
    """What the cells' peak memory counts: ``rss``, ``cuda``, or both where machines differ."""
    return " + ".join(sorted(set(cells["peak_kind"].dropna())))

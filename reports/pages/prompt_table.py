"""The scores of one prompt: a row for each cell."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import pandas as pd

from reports.frames import ReportFrames
from reports.pages.exhibits import Exhibit, PromptExhibits
from reports.table import Column, Entry, Row, Table
from reports.tables.columns import score_columns

#: Columns of cells, their key in the frames and what that is divided by.
_COSTS: Final = (
    (Column("time", "time", "s", "down", decimals=1), "optimise_seconds", 1.0),
    (Column("memory", "memory", "GB", "down"), "peak_bytes", 1e9),
)


def prompt_table(frames: ReportFrames, prompt: PromptExhibits, means: pd.DataFrame) -> Table:
    """Scores, time and memory of every cell of a prompt.

    Args:
        frames: The study's results.
        prompt: Whose cells.
        means: Mean over the views of each completed cell of the prompt, with columns ``cell, metric, value``.
    """
    scores = score_columns(frames, set(means["metric"]))
    values: dict[Any, float] = means.set_index(["cell", "metric"])["value"].to_dict()
    cells = {str(cell["cell"]): cell for cell in frames.cells.to_dict("records")}
    rows = [
        Row(exhibit.label, tuple(_entries(exhibit, scores, values, cells[exhibit.cell])))
        for exhibit in prompt.exhibits
        if exhibit.cell
    ]
    return Table(
        name="prompt",
        title="Scores of this prompt",
        caption=("Means over the views of one cell: one prompt says little about a method.",),
        stub="Method",
        columns=(*scores, *(column for column, *_ in _COSTS)),
        rows=tuple(rows),
    )


def _entries(exhibit: Exhibit, scores: list[Column], values: dict[Any, float], cell: dict[Any, Any]) -> Iterator[Entry]:
    note = "" if exhibit.completed else exhibit.status
    for column in scores:
        yield Entry(mean=values.get((exhibit.cell, column.key)), note=note, cells=(exhibit.cell,))
    for _, name, scale in _COSTS:
        cost = cell[name]
        yield Entry(mean=None if pd.isna(cost) else float(cost) / scale, cells=(exhibit.cell,))

"""The scores and costs of one prompt: a row per cell."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd

from reports.costs import Cost, study_costs
from reports.frames import ReportFrames
from reports.pages.cell_rows import CellRow, PromptRows
from reports.table import Entry, Row, Table, TableColumn
from reports.tables.columns import score_columns


def prompt_table(frames: ReportFrames, prompt: PromptRows, means: pd.DataFrame) -> Table:
    """Build the table of every metric and cost of the cells of a prompt.

    Args:
        frames: The study's results.
        prompt: The rows of the prompt.
        means: Means over the views of the prompt's completed cells, with columns ``cell, metric, value``.
    """
    scores, costs = score_columns(frames, set(means["metric"])), study_costs(frames)
    values: dict[Any, float] = means.set_index(["cell", "metric"])["value"].to_dict()
    cells = {str(cell["cell"]): cell for cell in frames.cells.to_dict("records")}
    rows = [
        Row(row.label, tuple(_entries(row, scores, costs, values, cells[row.cell]))) for row in prompt.rows if row.cell
    ]
    return Table(
        name="prompt",
        title="Scores of this prompt",
        caption=("Means over the views of one cell; a single prompt says little about a method.",),
        stub="Method",
        columns=(*scores, *(cost.column for cost in costs)),
        rows=tuple(rows),
    )


def _entries(
    row: CellRow, scores: Sequence[TableColumn], costs: Sequence[Cost], values: dict[Any, float], cell: dict[Any, Any]
) -> Iterator[Entry]:
    note = "" if row.completed else row.status
    for column in scores:
        yield Entry(mean=values.get((row.cell, column.key)), note=note, cells=(row.cell,))
    for cost in costs:
        value = cell[cost.source]
        yield Entry(mean=None if pd.isna(value) else float(value) / cost.size, cells=(row.cell,))

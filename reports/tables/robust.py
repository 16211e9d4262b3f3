"""Interquartile means: what a few odd prompts do not move."""

from __future__ import annotations

from collections.abc import Sequence

from reports.statistics import interquartile_mean
from reports.table import Row, Table
from reports.tables.columns import headline_scores
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import Measured, entry_of


def robust_table(measured: Measured, notes: Sequence[str]) -> Table:
    """Interquartile mean of each score with its interval."""
    columns = headline_scores(measured.frames)
    rows = []
    for method in measured.methods:
        entries = []
        for column in columns:
            scores = measured.scores(column.key)
            own = measured.cells(scores, method)
            entries.append(entry_of(scores.method(method), statistic=interquartile_mean, sd=None, cells=own))
        rows.append(Row(method, tuple(entries)))
    caption = (
        "Mean of the middle half of the prompts (a quarter is cut off at each end), its 95 % bootstrap interval, and "
        "the number of prompts before the cut; completed cells.",
        "Where it is far from the mean of the results, a few prompts make that mean.",
        *notes,
    )
    footnotes = metric_footnotes(measured.frames, columns)
    return Table("robust", "Interquartile means", caption, "Method", tuple(columns), tuple(rows), footnotes)

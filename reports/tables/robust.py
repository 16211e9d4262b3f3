"""Interquartile means, which do not depend on a few outliers."""

from __future__ import annotations

from collections.abc import Sequence

from reports.statistics import interquartile_mean
from reports.statistics.constants import LEVEL_TEXT
from reports.table import Row, Table
from reports.tables.columns import headline_scores
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import Measured, entry_of


def robust_table(measured: Measured, notes: Sequence[str]) -> Table:
    """Build the table of the interquartile mean of each score with its interval."""
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
        f"Mean of the middle half of the prompts (a quarter is cut off at each end), its {LEVEL_TEXT} bootstrap "
        "interval, and the number of prompts before the cut; completed cells.",
        "If it is far from the mean in the results, a few prompts dominate that mean.",
        *notes,
    )
    footnotes = metric_footnotes(measured.frames, columns)
    return Table("robust", "Interquartile means", caption, "Method", tuple(columns), tuple(rows), footnotes)

"""Sources of the scores' spread: prompts, seeds and views."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reports.frames import ALL_VIEWS
from reports.statistics import VarianceComponents, variance_components
from reports.table import Entry, Row, Table, TableColumn
from reports.tables.columns import headline_scores
from reports.tables.measured import Measured

_SOURCES = ("prompt", "seed", "view")


def variance_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """Build the table of the SD between prompts, seeds and views of each score, pooled over the methods.

    Without the scores of views there is none.
    """
    if (measured.frames.scores["view"] == ALL_VIEWS).any():
        return None
    columns = tuple(TableColumn(source, f"SD between {source}s") for source in _SOURCES)
    rows, reasons = [], []
    for column in headline_scores(measured.frames):
        parts = _components(measured, column)
        entries = [_pooled([getattr(part, source) for part in parts]) for source in _SOURCES]
        reasons.append({reason for part in parts for reason in part.reason.split("; ") if reason})
        printed = tuple(replace(each, decimals=max(2, column.decimals)) for each in columns)
        label = f"{column.title} [{column.unit}]" if column.unit else column.title
        rows.append(Row(label, tuple(entries), columns=printed))
    joint = sorted(set.union(set(), *reasons))
    caption = (
        "Square roots of the variance components of score = mean + prompt + seed in prompt + view in asset, by the "
        "method of moments, of completed cells; variances are averaged over the methods.",
        "More prompts reduce the first part of an interval's width, more seeds the second. If a component's "
        "estimate is not above 0, this study is too small to detect it.",
        *([f"Not separated: {'; '.join(joint)}."] if joint else []),
        *notes,
    )
    return Table("variance", "Sources of the spread", caption, "Score", columns, tuple(rows))


def _components(measured: Measured, column: TableColumn) -> list[VarianceComponents]:
    scores = measured.frames.scores
    rows = scores[(scores["metric"] == column.key) & scores["cell"].isin(measured.completed["cell"])]
    rows = rows.assign(value=rows["value"].astype(float) * measured.scales[column.key])
    return [variance_components(rows[rows["method"] == method]) for method in measured.methods]


def _pooled(components: list[float | None]) -> Entry:
    known = [component for component in components if component is not None]
    if not known:
        return Entry()
    mean = float(np.mean(known))
    return Entry(mean=mean**0.5) if mean > 0 else Entry(text="not above 0")

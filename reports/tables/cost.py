"""What the methods cost: ratios to the baseline, peak memory, network calls and hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from reports.statistics import StudyScores, paired_differences, prompt_bootstrap
from reports.statistics.values import prompt_means
from reports.table import Column, Entry, Row, Table
from reports.tables.columns import cost_columns
from reports.tables.measured import SEED, Measured, estimate_entry

_PEAKS = {"peak_bytes": "peak", "reserved_bytes": "reserved"}


def cost_table(measured: Measured, notes: Sequence[str]) -> Table:
    """Geometric-mean cost ratios to the baseline with intervals, and costs that are no means over prompts."""
    costs = cost_columns(measured.frames)
    peaks = [source for source in _PEAKS if measured.completed[source].notna().any()]
    titles = {cost.source: cost.column.title for cost in costs} | {"reserved_bytes": "memory reserved"}
    columns = (
        *(Column(f"{cost.column.key}_ratio", f"{cost.column.title} ratio", "×", "down") for cost in costs),
        *(
            Column(f"{_PEAKS[source]}_{how}", f"{titles[source]}, {how}", "GB", "down")
            for source in peaks
            for how in ("mean", "max")
        ),
        Column("unet_calls", "UNet calls", "10³", "down", decimals=1),
        Column("hours", "in all", "h", "down", decimals=2),
    )
    rows = []
    for method in measured.methods:
        entries = [_ratio(measured, cost.source, method) for cost in costs]
        entries += [entry for source in peaks for entry in _peak(measured, source, method)]
        entries.append(_thousands(measured.cost("unet_calls"), measured, method))
        cells = measured.frames.cells[measured.frames.cells["method"] == method]
        entries.append(Entry(mean=float(cells["seconds"].astype(float).sum()) / 3600, cells=tuple(cells["cell"])))
        rows.append(Row(method, tuple(entries)))
    caption = (
        f"Ratios to {measured.baseline}: geometric mean over prompts, paired by prompt and seed, with the 95 % "
        "interval of a bootstrap on the logarithms (pairs); where all prompts agree there is none.",
        "Memory: mean and maximum over prompts of a cell's peak (rss: of the process; cuda: allocated by torch; "
        "reserved: by its allocator). Completed cells; in all is the wall time of every cell, with set-up and "
        "evaluation.",
        *notes,
    )
    return Table("cost", f"Cost, and ratios to {measured.baseline}", caption, "Method", columns, tuple(rows))


def _ratio(measured: Measured, source: str, method: str) -> Entry:
    if method == measured.baseline:
        return Entry(mean=1.0, why="the baseline itself")
    logs = _logarithms(measured.cost(source))
    found = prompt_bootstrap(paired_differences(logs.method(method), logs.method(measured.baseline)), SEED)
    entry = estimate_entry(found, cells=measured.pairs(logs, method))
    mean, low, high = (None if value is None else float(np.exp(value)) for value in (entry.mean, entry.low, entry.high))
    return replace(entry, mean=mean, low=low, high=high)


def _logarithms(scores: StudyScores) -> StudyScores:
    return replace(scores, means=np.log(np.where(scores.means > 0, scores.means, np.nan)))


def _peak(measured: Measured, source: str, method: str) -> tuple[Entry, Entry]:
    scores = measured.cost(source)
    values, cells = scores.method(method) / 1e9, measured.cells(scores, method)
    means = prompt_means(values)
    if not len(means):
        return Entry(n=0), Entry(n=0)
    return Entry(mean=float(means.mean()), n=len(means), cells=cells), Entry(mean=float(np.nanmax(values)), cells=cells)


def _thousands(scores: StudyScores, measured: Measured, method: str) -> Entry:
    means = prompt_means(scores.method(method)) / 1e3
    mean = float(means.mean()) if len(means) else None
    return Entry(mean=mean, n=len(means), cells=measured.cells(scores, method))

"""Costs of the methods: ratios to their baselines, peak memory, network calls and hours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

import numpy as np
import pandas as pd

from reports.costs import ENERGY, MEMORY, RESERVED, TIME, TOTAL, UNET_CALLS, Cost, study_costs
from reports.statistics import StudyScores, paired_differences, prompt_bootstrap
from reports.statistics.constants import LEVEL_TEXT, SEED
from reports.statistics.values import prompt_means
from reports.table import Entry, Row, Table, TableColumn
from reports.tables.measured import Measured, estimate_entry

#: Column of the cells, and its name in words, that must be the same in two cells for a cost to be compared.
_MACHINE: Final = {
    TIME.source: ("device", "device"),
    ENERGY.source: ("device", "device"),
    MEMORY.source: ("peak_kind", "the kind of memory"),
}


def cost_table(measured: Measured, notes: Sequence[str]) -> Table:
    """Build the table of geometric-mean cost ratios to baselines with intervals, and of costs that are no means."""
    costs = study_costs(measured.frames)
    titles = {cost.source: cost.title for cost in costs}
    peaks = [
        (replace(cost, title=titles.get(cost.source, cost.title)).suited(measured.completed[cost.source]), key)
        for cost, key in ((MEMORY, "peak"), (RESERVED, "reserved"))
        if measured.completed[cost.source].notna().any()
    ]
    calls = UNET_CALLS.suited(measured.completed[UNET_CALLS.source])
    seconds = pd.to_numeric(measured.frames.cells[TOTAL.source])  # of objects where no cell knows any
    totals = seconds.groupby(measured.frames.cells["method"]).sum(min_count=1)
    total = TOTAL.suited(totals)
    columns = (
        *(TableColumn(f"{cost.key}_ratio", f"{cost.title} ratio", "×", "down") for cost in costs),
        *(
            TableColumn(f"{key}_{how}", f"{cost.title}, {how}", cost.unit, "down", decimals=cost.decimals)
            for cost, key in peaks
            for how in ("mean", "max")
        ),
        calls.column,
        total.column,
    )
    rows = []
    for method in measured.methods:
        entries = [_ratio(measured, cost.source, method) for cost in costs]
        entries += [entry for cost, _ in peaks for entry in _peak(measured, cost, method)]
        entries.append(_mean(measured, calls, method))
        cells = measured.frames.cells[measured.frames.cells["method"] == method]
        whole = float(totals.get(method, np.nan)) / total.size
        entries.append(Entry() if np.isnan(whole) else Entry(mean=whole, cells=tuple(cells["cell"])))
        rows.append(Row(method, tuple(entries)))
    caption = (
        f"Ratios to {measured.baselines.name}: geometric mean over prompts, paired by prompt and seed, with the "
        f"{LEVEL_TEXT} interval of a bootstrap of the logarithms (pairs); if all prompts agree there is none. Times of "
        "different devices, and memories of different kinds, are not compared.",
        *measured.baselines.listed,
        "Memory: mean and maximum over prompts of a cell's peak (rss: of the process; cuda: allocated by torch after "
        "preparation; reserved: by its allocator). Completed cells; in all is the wall time of every cell, with "
        "set-up and evaluation.",
        *notes,
    )
    return Table("cost", f"Cost, and ratios to {measured.baselines.title}", caption, "Method", columns, tuple(rows))


def _ratio(measured: Measured, source: str, method: str) -> Entry:
    logs = _logarithms(measured.cost(source))
    if method == measured.baseline and not np.isnan(logs.method(method)).all():
        return Entry(mean=1.0, why="the baseline itself")
    baseline = measured.baselines.of(method)
    compared = _comparable(measured, logs, source, (method, baseline))
    found = prompt_bootstrap(paired_differences(compared.method(method), compared.method(baseline)), SEED)
    entry = estimate_entry(found, cells=measured.pairs(compared, method, baseline))
    if entry.mean is None and measured.pairs(logs, method, baseline):
        entry = replace(entry, why=f"the cells differ in {_MACHINE[source][1]}")
    mean, low, high = (None if value is None else float(np.exp(value)) for value in (entry.mean, entry.low, entry.high))
    return replace(entry, mean=mean, low=low, high=high)


def _comparable(measured: Measured, scores: StudyScores, source: str, methods: tuple[str, str]) -> StudyScores:
    """Leave out the pairs of two methods whose cells were measured on different machines or in different ways."""
    if source not in _MACHINE:
        return scores
    own = measured.completed[measured.completed["method"].isin(methods)]
    kinds = own.groupby(["prompt_id", "seed"])[_MACHINE[source][0]].nunique(dropna=False)
    differ = {key for key, count in kinds.items() if count > 1}
    apart = np.array([[(prompt, seed) in differ for seed in scores.seeds] for prompt in scores.prompts])
    return replace(scores, means=np.where(apart, np.nan, scores.means))


def _logarithms(scores: StudyScores) -> StudyScores:
    return replace(scores, means=np.log(np.where(scores.means > 0, scores.means, np.nan)))


def _peak(measured: Measured, cost: Cost, method: str) -> tuple[Entry, Entry]:
    scores = measured.cost(cost.source)
    values, cells = scores.method(method) / cost.size, measured.cells(scores, method)
    means = prompt_means(values)
    if not len(means):
        return Entry(n=0), Entry(n=0)
    return Entry(mean=float(means.mean()), n=len(means), cells=cells), Entry(mean=float(np.nanmax(values)), cells=cells)


def _mean(measured: Measured, cost: Cost, method: str) -> Entry:
    scores = measured.cost(cost.source)
    means = prompt_means(scores.method(method)) / cost.size
    mean = float(means.mean()) if len(means) else None
    return Entry(mean=mean, n=len(means), cells=measured.cells(scores, method))

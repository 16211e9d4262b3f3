"""Paired differences to a baseline: the same prompt and seed, so that differences between prompts cancel out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from reports.render.printed import heading
from reports.statistics import PairedComparison, fewest_prompts, least_p
from reports.statistics.constants import ALPHA, ALPHA_TEXT, LEVEL_TEXT, POWER_TEXT
from reports.statistics.values import MIN_PROMPTS
from reports.table import Entry, Row, Table, TableColumn
from reports.tables.columns import compared_column, headline_scores
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import Measured, estimate_entry

#: Verdict on a difference that the data do not determine.
CANNOT_TELL: Final = "cannot tell"
#: Most prompts that an entry names.
_NAMED: Final = 2


def verdict(comparison: PairedComparison, column: TableColumn) -> str:
    """Judge a difference: ``better``, ``worse`` (``higher``, ``lower`` without a direction) or ``cannot tell``.

    There is a verdict if Holm's p is at most ``ALPHA`` and the interval excludes 0.
    """
    value, zero = comparison.difference.value, comparison.difference.interval.contains(0.0)
    if value is None or zero is not False or comparison.p_holm is None or comparison.p_holm > ALPHA:
        return CANNOT_TELL
    if column.direction is None:
        return "higher" if value > 0 else "lower"
    return "better" if (value > 0) == (column.direction == "up") else "worse"


def differences_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """Build the table of method − baseline for each score, with interval and verdict; None without another method."""
    scores = headline_scores(measured.frames)
    if not measured.others or not scores:
        return None
    rows = []
    for method in measured.others:
        entries = [_difference(measured, column, method, text=True) for column in scores]
        rows.append(Row(_label(measured, method), tuple(entries)))
    caption = (
        f"Mean of method − {measured.baselines.name} over prompts, its {LEVEL_TEXT} bootstrap interval, and (pairs; "
        "verdict). Cells are paired by prompt and seed.",
        *measured.baselines.listed,
        "Better or worse: the sign-flip test, corrected by Holm over the methods of a column, has "
        f"p ≤ {ALPHA:g} and the interval excludes 0. Otherwise the data cannot tell; the table of comparisons "
        "has the difference that they could have detected.",
        *_too_few(len(measured.frames.cells["prompt_id"].unique()), len(measured.others)),
        *notes,
    )
    columns = tuple(replace(compared_column(column), signed=True) for column in scores)
    footnotes = metric_footnotes(measured.frames, scores)
    title = f"Differences to {measured.baselines.title}"
    return Table("differences", title, caption, "Method", columns, tuple(rows), footnotes)


def comparisons_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """Build the table of all statistics of each difference, a part per metric; None without another method."""
    scores = headline_scores(measured.frames)
    if not measured.others or not scores:
        return None
    columns = (
        TableColumn("difference", "difference", signed=True),
        TableColumn("verdict", "verdict", kind="words"),
        TableColumn("p", "p", decimals=4, kind="p"),
        TableColumn("p_holm", "p (Holm)", decimals=4, kind="p"),
        TableColumn("effect_size", "effect size", decimals=2, signed=True),
        TableColumn("improvement", "P(better)", "%", decimals=0),
        TableColumn("detectable", "detectable", decimals=2),
        TableColumn("depends_on", "depends on", kind="words"),
    )
    rows = []
    for column in scores:
        compared = compared_column(column)
        own = {"difference": compared.decimals, "detectable": compared.decimals}
        printed = tuple(replace(each, decimals=own.get(each.key, each.decimals)) for each in columns)
        depends = measured.depends_on(column)
        for method in measured.others:
            entries = (*_compared(measured, column, method), Entry(text=_names(depends[method])))
            part = heading(compared)
            rows.append(Row(_label(measured, method), entries, part=part, columns=printed))
    caption = (
        f"Method − {measured.baselines.name}, paired by prompt and seed: mean [{LEVEL_TEXT} interval] (pairs).",
        *measured.baselines.listed,
        "p: two-sided sign-flip test over prompts; Holm: over the methods of one metric. Effect size: mean over SD of "
        "the prompts' differences. P(better): share of prompts that the method wins, ties as half. Detectable: the "
        f"smallest difference that this number of prompts with this spread detects with {POWER_TEXT} power (t-test, "
        f"{ALPHA_TEXT}). Depends on: without one of these prompts p (Holm) would be on the other side of {ALPHA:g}; if "
        "they are many, it is near that.",
        *notes,
    )
    footnotes = metric_footnotes(measured.frames, scores)
    title = f"Comparisons with {measured.baselines.title}"
    return Table("comparisons", title, caption, "Method", columns, tuple(rows), footnotes)


def _too_few(prompts: int, others: int) -> list[str]:
    """Say that a table has intervals and cannot have a verdict; with fewer prompts it has neither, as others say."""
    needed = fewest_prompts(others)
    if not MIN_PROMPTS <= prompts < needed:
        return []
    alone, corrected = least_p(prompts, 1), least_p(prompts, others)
    return [
        f"{prompts} prompts are too few for a verdict on {others} methods: even if all agree, p is {alone:.2g} for one "
        f"method and {corrected:.2g} after the correction. It takes {needed} prompts."
    ]


def _names(prompts: Sequence[str]) -> str:
    """The prompts, or their number if they are many, as with few prompts, where each is needed."""
    return ", ".join(prompts) if len(prompts) <= _NAMED else f"{len(prompts)} prompts"


def _difference(measured: Measured, column: TableColumn, method: str, *, text: bool) -> Entry:
    comparison = measured.comparisons(column)[method]
    return estimate_entry(
        comparison.difference,
        text=verdict(comparison, column) if text else "",
        cells=measured.pairs(measured.scores(column.key), method, comparison.baseline),
    )


def _label(measured: Measured, method: str) -> str:
    """The arm, and its baseline if that is not the one of the table's title."""
    own = measured.own_baselines.get(method)
    return method if own is None else f"{method} − {own}"


def _compared(measured: Measured, column: TableColumn, method: str) -> tuple[Entry, ...]:
    found = measured.comparisons(column)[method]
    better = found.improvement
    return (
        _difference(measured, column, method, text=False),
        Entry(text=verdict(found, column)),
        Entry(mean=found.test.p, why=found.test.reason),
        Entry(mean=found.p_holm, why=found.test.reason),
        Entry(mean=found.effect_size),
        Entry() if better is None else replace(estimate_entry(better, factor=100.0), n=None),
        Entry(mean=found.detectable),
    )

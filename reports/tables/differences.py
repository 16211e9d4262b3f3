"""Paired differences to a baseline: the same prompt and seed, so that hard prompts cancel out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from reports.render.printed import heading
from reports.statistics import Comparison
from reports.table import Column, Entry, Row, Table
from reports.tables.columns import headline_scores
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import Measured, estimate_entry

#: Level of the tests, corrected for all methods that are compared with the baseline in one metric.
ALPHA: Final = 0.05
CANNOT_TELL: Final = "cannot tell"


def verdict(comparison: Comparison, column: Column) -> str:
    """``better``, ``worse`` (``higher``, ``lower`` where neither is better) or ``cannot tell``.

    A difference is told where Holm's p is at most 5 % and the interval leaves out 0.
    """
    value, zero = comparison.difference.value, comparison.difference.interval.contains(0.0)
    if value is None or zero is not False or comparison.p_holm is None or comparison.p_holm > ALPHA:
        return CANNOT_TELL
    if column.direction is None:
        return "higher" if value > 0 else "lower"
    return "better" if (value > 0) == (column.direction == "up") else "worse"


def differences_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """Method − baseline for each score, with its interval and a verdict; None where there is no other method."""
    scores = headline_scores(measured.frames)
    if not measured.others or not scores:
        return None
    rows = []
    for method in measured.others:
        entries = [_difference(measured, column, method, text=True) for column in scores]
        rows.append(Row(method, tuple(entries)))
    caption = (
        f"Mean of method − {measured.baseline} over prompts, its 95 % bootstrap interval, and (pairs; verdict). "
        "Cells are paired by prompt and seed.",
        "Better or worse: the sign-flip test, corrected by Holm over the methods of a column, has p ≤ .05 and the "
        "interval leaves out 0. All else the data cannot tell; the table of comparisons says what they could have.",
        *notes,
    )
    columns = tuple(replace(_compared_column(column), signed=True) for column in scores)
    footnotes = metric_footnotes(measured.frames, scores)
    title = f"Differences to {measured.baseline}"
    return Table("differences", title, caption, "Method", columns, tuple(rows), footnotes)


def comparisons_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """All that can be said about each difference: a part for each metric; None where there is no other method."""
    scores = headline_scores(measured.frames)
    if not measured.others or not scores:
        return None
    columns = (
        Column("difference", "difference", signed=True),
        Column("verdict", "verdict", kind="words"),
        Column("p", "p", decimals=4, kind="p"),
        Column("p_holm", "p (Holm)", decimals=4, kind="p"),
        Column("effect_size", "effect size", decimals=2, signed=True),
        Column("improvement", "P(better)", "%", decimals=0),
        Column("detectable", "detectable", decimals=2),
    )
    rows = []
    for column in scores:
        own = {"difference": column.decimals, "detectable": column.decimals}
        printed = tuple(replace(each, decimals=own.get(each.key, each.decimals)) for each in columns)
        for method in measured.others:
            rows.append(
                Row(
                    method, _compared(measured, column, method), part=heading(_compared_column(column)), columns=printed
                )
            )
    caption = (
        f"Method − {measured.baseline}, paired by prompt and seed: mean [95 % interval] (pairs).",
        "p: two-sided sign-flip test over prompts; Holm: over the methods of one metric. Effect size: mean over SD of "
        "the prompts' differences. P(better): share of prompts that the method wins, ties as half. Detectable: the "
        "smallest difference that this many prompts with this spread show with 80 % power (t-test, 5 %).",
        *notes,
    )
    footnotes = metric_footnotes(measured.frames, scores)
    title = f"Comparisons with {measured.baseline}"
    return Table("comparisons", title, caption, "Method", columns, tuple(rows), footnotes)


def _compared_column(column: Column) -> Column:
    """The column of what is compared: with a target, the distance to it, of which less is better."""
    if column.target is None:
        return column
    return replace(column, title=f"|{column.title} − {column.target:g}|", direction="down", target=None)


def _difference(measured: Measured, column: Column, method: str, *, text: bool) -> Entry:
    comparison = measured.comparisons(column)[method]
    return estimate_entry(
        comparison.difference,
        text=verdict(comparison, column) if text else "",
        cells=measured.pairs(measured.scores(column.key), method),
    )


def _compared(measured: Measured, column: Column, method: str) -> tuple[Entry, ...]:
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

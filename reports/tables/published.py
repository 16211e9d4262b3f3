"""A paper's table with its printed figures beside the measured ones, and a verdict on each pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reports.published import PublishedFigure, PublishedRow, PublishedTable
from reports.published.published_table import PublishedColumn
from reports.statistics import Interval, Moments, newcombe_interval, welch_interval
from reports.statistics.values import MIN_PROMPTS, Floats, prompt_means
from reports.table import Column, Direction, Entry, Row, Table
from reports.tables.columns import score_columns
from reports.tables.differences import CANNOT_TELL
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import Measured, entry_of

#: Where a cost column's values are, and how many of them make the unit that papers print.
_COSTS = {"time": ("optimise_seconds", 60.0, "min"), "memory": ("peak_bytes", 1e9, "GB")}


@dataclass(frozen=True)
class Reproduction:
    """What a study says that it reproduces, and with which models."""

    tables: tuple[str, ...] = ()
    """Names of published tables (``reports.published``)."""
    prior: str = ""
    """Name of the study's prior."""
    scorers: str = ""
    """Name of its suite of scorers."""


def refusal(published: PublishedTable, reproduction: Reproduction) -> str:
    """Why the published figures may not stand beside the study's; empty where they may."""
    theirs, ours = (published.prior, published.scorers), (reproduction.prior, reproduction.scorers)
    if theirs == ours:
        return ""
    return (
        f"{published.title} is not set beside these results: its figures are of the prior {theirs[0]} and the scorers "
        f"{theirs[1]}, these of {ours[0]} and {ours[1]}."
    )


def published_table(measured: Measured, published: PublishedTable, notes: Sequence[str]) -> Table:
    """The published rows, each with the measured ones of the same method and the difference between them."""
    layout = _layout(measured, published)
    taken = {label: row for row in published.rows.values() for label in row.labels}
    rows = [row for name, source in published.rows.items() for row in _of_method(measured, published, name, source)]
    differ = "; ".join(
        f"{method} ran {_thousands(steps)} steps, published {_thousands(source.steps or 0)}"
        for method, source in taken.items()
        if method in measured.methods and (steps := _other_steps(measured, method, source))
    )
    caption = [
        f"{published.source} ({published.url}): {published.protocol}. Measured: mean ± SD over prompts (n).",
        "Difference: measured − published, with a 95 % interval (Welch's; for Div. Newcombe's) widened by the rounding "
        "of the printed figures. It takes the printed SD for one over prompts, which it bounds if it is over prompts "
        "and views, takes diverged prompts to be left out of the printed mean, and cannot use that prompts are shared: "
        "so it errs on the wide side.",
        "Differs: the interval leaves out 0. Consistent: it does not; a wide one is consistent with much. Cannot tell: "
        "no spread or number of prompts is printed, or fewer than "
        f"{MIN_PROMPTS} prompts, other steps or another definition are measured.",
    ]
    caption += [f"Not compared: {differ}."] if differ else []
    if any(column.counts_oom for column in published.columns.values()):
        caption.append("Div. counts cells that ran out of memory, in both rows, as the paper does.")
    footnotes = metric_footnotes(measured.frames, layout)
    title = f"{published.title}, published and measured"
    return Table(f"published-{published.name}", title, (*caption, *notes), "", layout, tuple(rows), footnotes)


def _layout(measured: Measured, published: PublishedTable) -> tuple[Column, ...]:
    ours = {column.key: column for column in score_columns(measured.frames)}
    lower: dict[str, Direction] = dict.fromkeys(("divergence", "time", "memory"), "down")
    return tuple(
        Column(
            key,
            column.title,
            column.unit,
            ours[key].direction if key in ours else lower.get(key, "up"),
            decimals=ours[key].decimals if key in ours else max(1, _decimals(column.decimals, column)),
        )
        for key, column in published.columns.items()
    )


def _of_method(measured: Measured, published: PublishedTable, name: str, source: PublishedRow) -> Iterator[Row]:
    layout = _layout(measured, published)
    as_printed = tuple(
        replace(column, decimals=_decimals(their.decimals, their), sd_decimals=_decimals(their.sd_decimals, their))
        for column, their in zip(layout, published.columns.values(), strict=True)
    )
    entries = tuple(_printed(published, key, source.figures.get(key)) for key in published.columns)
    yield Row("published", entries, part=name, columns=as_printed)
    signed = tuple(replace(column, signed=True) for column in layout)
    methods = [method for method in measured.methods if method in source.labels]
    for method in methods:
        suffix = f" ({method})" if len(methods) > 1 else ""
        ours = {key: _measured(measured, published, key, method) for key in published.columns}
        yield Row(f"measured{suffix}", tuple(ours.values()), part=name)
        differences = [_difference(measured, published, key, source, method, entry) for key, entry in ours.items()]
        yield Row(f"difference{suffix}", tuple(differences), part=name, columns=signed)


def _decimals(printed: int | None, column: PublishedColumn) -> int:
    """As printed, less the digits that the scale moves before the point."""
    digits = column.decimals if printed is None else printed
    return max(0, digits - round(np.log10(column.scale)))


def _printed(published: PublishedTable, key: str, figure: PublishedFigure | None) -> Entry:
    if figure is None:
        return Entry()
    scale = published.columns[key].scale
    text = "" if figure.count is None else f"{figure.count}/{published.prompts}"
    return Entry(
        mean=figure.mean * scale,
        sd=None if figure.sd is None else figure.sd * scale,
        text=text,
        why=published.columns[key].not_comparable,
    )


def _measured(measured: Measured, published: PublishedTable, key: str, method: str) -> Entry:
    column = published.columns[key]
    if key == "divergence":
        count, total, cells = _counts(measured, method, column)
        mean = 100 * count / total if total else None
        return Entry(mean=mean, text=f"{count}/{total}", cells=cells)
    if key in _COSTS:
        source, size, _ = _COSTS[key]
        scores = measured.cost(source)
        return entry_of(scores.method(method) / size, cells=measured.cells(scores, method))
    if _incomparable(measured, key, column):
        return Entry(why=_incomparable(measured, key, column))
    return measured.mean_entry(measured.scores(key), method)


def _difference(
    measured: Measured, published: PublishedTable, key: str, source: PublishedRow, method: str, ours: Entry
) -> Entry:
    figure, column = source.figures.get(key), published.columns[key]
    if figure is None or ours.mean is None:
        return Entry()
    reason = _incomparable(measured, key, column) or _steps_reason(measured, method, source)
    interval = Interval(reason=reason) if reason else _interval(measured, published, key, figure, source, method)
    theirs, rounding = figure.mean * column.scale, column.rounding
    if figure.count is not None and published.prompts is not None:  # a count says more than its rounded share
        theirs, rounding = 100 * figure.count / published.prompts, 0.0
    difference = ours.mean - theirs
    if interval.low is None or interval.high is None:
        return Entry(mean=difference, text=CANNOT_TELL, why=interval.reason, cells=ours.cells)
    low, high = interval.low - rounding, interval.high + rounding
    text = "consistent" if low <= 0 <= high else "differs"
    return Entry(mean=difference, low=low, high=high, text=text, cells=ours.cells)


def _interval(
    measured: Measured,
    published: PublishedTable,
    key: str,
    figure: PublishedFigure,
    source: PublishedRow,
    method: str,
) -> Interval:
    """Of the difference, before rounding; a reason where the figures printed or measured do not give one."""
    column = published.columns[key]
    if published.prompts is None:
        return Interval(reason="the number of prompts is not given")
    if figure.count is not None:
        count, total, _ = _counts(measured, method, column)
        if len(measured.divergence.seeds) > 1:
            return Interval(reason="the paper has one run a prompt, this study several")
        return _percent(newcombe_interval((count, total), (figure.count, published.prompts)))
    if figure.sd is None:
        return Interval(reason="no spread is printed")
    lost = source.figures["divergence"].count or 0 if "divergence" in source.figures else 0
    theirs = Moments(
        figure.mean * column.scale, figure.sd * column.scale + column.sd_rounding, published.prompts - lost
    )
    means: Floats = prompt_means(measured.scores(key).method(method))
    if len(means) < MIN_PROMPTS:
        return Interval(reason=f"{len(means)} prompts measured, at least {MIN_PROMPTS} are needed")
    return welch_interval(Moments(float(means.mean()), float(means.std(ddof=1)), len(means)), theirs)


def _counts(measured: Measured, method: str, column: PublishedColumn) -> tuple[int, int, tuple[str, ...]]:
    """Diverged cells as the source counts them, all that came to an end in its sense, and who they are."""
    cells = measured.frames.cells[measured.frames.cells["method"] == method]
    lost = {"nan", "empty", "opaque", "frozen"} | ({"oom"} if column.counts_oom else set())
    ended = cells[cells["status"].isin(lost | {"completed"})]
    return int(ended["status"].isin(lost).sum()), len(ended), tuple(map(str, ended["cell"]))


def _percent(interval: Interval) -> Interval:
    if interval.low is None or interval.high is None:
        return interval
    return Interval(100 * interval.low, 100 * interval.high, interval.level)


def _incomparable(measured: Measured, key: str, column: PublishedColumn) -> str:
    if column.not_comparable or key == "divergence":
        return column.not_comparable
    units = {each.key: each.unit for each in score_columns(measured.frames)} | {k: c[2] for k, c in _COSTS.items()}
    if key not in units:
        return "not measured"
    return "" if units[key] == column.unit else f"measured in {units[key]!r}, published in {column.unit!r}"


def _other_steps(measured: Measured, method: str, source: PublishedRow) -> int:
    """Steps of the completed cells where they are not the published ones; 0 where they are, or none is known."""
    cells = measured.completed[measured.completed["method"] == method]
    steps = {int(step) for step in cells["steps"].dropna()}
    return 0 if source.steps is None or steps <= {source.steps} else max(steps - {source.steps})


def _steps_reason(measured: Measured, method: str, source: PublishedRow) -> str:
    steps = _other_steps(measured, method, source)
    return f"{_thousands(steps)} steps, published {_thousands(source.steps or 0)}" if steps else ""


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")

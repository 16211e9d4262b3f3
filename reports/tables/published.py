"""A paper's table with its printed numbers next to the measured ones, and a verdict on each pair."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reports.costs import MEMORY, TIME
from reports.frames import DIVERGED
from reports.published import PublishedFigure, PublishedRow, PublishedTable
from reports.published.published_table import PublishedColumn
from reports.statistics import Interval, Moments, newcombe_interval, welch_interval
from reports.statistics.constants import LEVEL_TEXT
from reports.statistics.values import MIN_PROMPTS, Floats, prompt_means
from reports.table import Direction, Entry, Row, Table, TableColumn
from reports.tables.columns import score_columns
from reports.tables.differences import CANNOT_TELL
from reports.tables.footnotes import metric_footnotes
from reports.tables.measured import Measured, entry_of

#: Costs that papers print, by key; they print times in minutes.
_COSTS = {cost.key: cost for cost in (TIME.in_minutes(), MEMORY)}


@dataclass(frozen=True)
class Reproduction:
    """The published tables that a study reproduces, and its models."""

    tables: tuple[str, ...] = ()
    """Names of published tables (``reports.published``)."""
    prior: str = ""
    """Name of the study's prior."""
    scorers: str = ""
    """Name of its suite of scorers."""


def refusal(published: PublishedTable, reproduction: Reproduction) -> str:
    """Say why published numbers cannot be compared with the study's; empty if they can."""
    theirs, ours = (published.prior, published.scorers), (reproduction.prior, reproduction.scorers)
    if theirs == ours:
        return ""
    return (
        f"{published.title} is not shown next to these results: its numbers belong to the prior {theirs[0]} and the "
        f"scorers {theirs[1]}, these to {ours[0]} and {ours[1]}."
    )


def published_table(measured: Measured, published: PublishedTable, notes: Sequence[str]) -> Table:
    """Build the table of the published rows, each with the measured ones of the same method and the differences."""
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
        f"Difference: measured − published, with a {LEVEL_TEXT} interval (Welch's; for Div. Newcombe's) widened by the "
        "rounding of the printed numbers. It treats the printed SD as one over prompts, which is a bound if it is over "
        "prompts and views, assumes that the printed mean excludes diverged prompts, and cannot use that prompts are "
        "shared: so it errs on the wide side.",
        "Differs: the interval excludes 0. Consistent: it does not; a wide one is consistent with a lot. Cannot tell: "
        "no spread or number of prompts is printed, or fewer than "
        f"{MIN_PROMPTS} prompts, another number of steps or another definition is measured.",
    ]
    caption += [f"Not compared: {differ}."] if differ else []
    if any(column.counts_oom for column in published.columns.values()):
        caption.append("Div. counts cells that ran out of memory, in both rows, as the paper does.")
    footnotes = metric_footnotes(measured.frames, layout)
    title = f"{published.title}, published and measured"
    return Table(f"published-{published.name}", title, (*caption, *notes), "", layout, tuple(rows), footnotes)


def _layout(measured: Measured, published: PublishedTable) -> tuple[TableColumn, ...]:
    ours = {column.key: column for column in score_columns(measured.frames)}
    lower: dict[str, Direction] = dict.fromkeys(("divergence", *_COSTS), "down")
    return tuple(
        TableColumn(
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
    """Return the printed digits, minus those that the scale moves before the point."""
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
        scores = measured.cost(_COSTS[key].source)
        return entry_of(scores.method(method) / _COSTS[key].size, cells=measured.cells(scores, method))
    if _incomparable(measured, key, column):
        return Entry(why=_incomparable(measured, key, column))
    scores = measured.scores(key)
    return entry_of(scores.method(method), cells=measured.cells(scores, method))  # arithmetic, as printed ones are


def _difference(
    measured: Measured, published: PublishedTable, key: str, source: PublishedRow, method: str, ours: Entry
) -> Entry:
    figure, column = source.figures.get(key), published.columns[key]
    if figure is None or ours.mean is None:
        return Entry()
    reason = _incomparable(measured, key, column) or _steps_reason(measured, method, source)
    interval = Interval(reason=reason) if reason else _interval(measured, published, key, figure, source, method)
    theirs, rounding = figure.mean * column.scale, column.rounding
    if figure.count is not None and published.prompts is not None:  # a count is more exact than its rounded share
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
    """Compute the interval of the difference before rounding, or the reason why there is none."""
    column = published.columns[key]
    if published.prompts is None:
        return Interval(reason="the number of prompts is not given")
    if figure.count is not None:
        count, total, _ = _counts(measured, method, column)
        if len(measured.divergence.seeds) > 1:
            return Interval(reason="the paper has one run per prompt, this study several")
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
    """Count the diverged cells as the source does and all that ended in its sense, and return their identities."""
    cells = measured.frames.cells[measured.frames.cells["method"] == method]
    lost = {*DIVERGED, *(["oom"] if column.counts_oom else [])}
    ended = cells[cells["status"].isin(lost | {"completed"})]
    return int(ended["status"].isin(lost).sum()), len(ended), tuple(map(str, ended["cell"]))


def _percent(interval: Interval) -> Interval:
    if interval.low is None or interval.high is None:
        return interval
    return Interval(100 * interval.low, 100 * interval.high)


def _incomparable(measured: Measured, key: str, column: PublishedColumn) -> str:
    if column.not_comparable or key == "divergence":
        return column.not_comparable
    units = {each.key: each.unit for each in score_columns(measured.frames)} | {
        key: cost.unit for key, cost in _COSTS.items()
    }
    if key not in units:
        return "not measured"
    return "" if units[key] == column.unit else f"measured in {units[key]!r}, published in {column.unit!r}"


def _other_steps(measured: Measured, method: str, source: PublishedRow) -> int:
    """Return the steps of the completed cells if they differ from the published ones; otherwise 0."""
    cells = measured.completed[measured.completed["method"] == method]
    steps = {int(step) for step in cells["steps"].dropna()}
    return 0 if source.steps is None or steps <= {source.steps} else max(steps - {source.steps})


def _steps_reason(measured: Measured, method: str, source: PublishedRow) -> str:
    steps = _other_steps(measured, method, source)
    return f"{_thousands(steps)} steps, published {_thousands(source.steps or 0)}" if steps else ""


def _thousands(count: int) -> str:
    return f"{count:,}".replace(",", " ")

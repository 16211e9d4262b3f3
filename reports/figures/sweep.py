"""Scores and costs against a number that a study varies: a panel per quantity, a line per method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter
from matplotlib.transforms import Transform

from reports.figures.drawing.layout import legend_below, legend_height, panels, title_panel
from reports.figures.drawing.looks import Look, looks
from reports.figures.drawing.marks import Mark
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.quantities import Quantity, quantities
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames, listed

_ACROSS: Final = 3  # panels in a row
_FLAT_DASHES: Final[tuple[Any, ...]] = ("--", ":", "-.", (0, (6, 1, 1, 1, 1, 1)), (0, (4, 2, 1, 2)), (0, (1, 3)))
_FLAT_STEP: Final = 0.045  # of a panel's width: from the mark of an arm without x to that of the next

#: Settings by which the cells of arms that are otherwise alike differ.
_OF_ONE_CELL: Final = ("label", "prompt_id", "prompt", "seed")


def sweep(
    frames: ReportFrames, *, metrics: Sequence[str], x: str, x_label: str = "", logarithmic: bool = False
) -> Draw:
    """Draw means over prompts as large marks with their intervals, prompts as small ones.

    An arm without x is a horizontal line, its mark at the right.  A mark is hollow if the arm lacks prompts.

    Args:
        frames: The study's results.
        metrics: Quantities, a panel each.
        x: Path of the varied number in a cell's settings, keys joined by dots.
        x_label: Label of the horizontal axis; the path if empty.
        logarithmic: Whether that axis is logarithmic.

    Raises:
        NothingToDraw: If no cell has a value, or no arm a number at ``x``, as where a study is narrowed to some arms.
        ReportError: If a metric is unknown.
    """
    arms = _arms(frames, x)
    if arms["x"].isna().all():
        raise NothingToDraw(f"no cell has a number at {x!r}")
    names = [*arms.loc[arms["x"].notna(), "rule"].unique(), *arms.loc[arms["x"].isna(), "method"]]
    shown = quantities(frames, metrics)
    if all(quantity.table.empty for quantity in shown):
        raise NothingToDraw(f"no completed cell has a value of {listed(metrics)}")

    def draw(theme: Theme) -> Figure:
        foot = legend_height(names, min(_ACROSS, len(shown)) * 2.5)
        figure, axes = panels(len(shown), across=_ACROSS, foot=foot)
        for axis, quantity in zip(axes, shown, strict=True):
            _panel(axis, quantity, arms, looks(list(arms["line"].unique()), theme), theme)
            if logarithmic:
                axis.set_xscale("log")
                axis.xaxis.set_major_formatter(ScalarFormatter())
                axis.xaxis.set_minor_locator(NullLocator())
            axis.set_xticks(sorted(arms["x"].dropna().unique()))
            axis.set_xlabel(x_label or x)
            title_panel(axis, quantity.label)
        known = {(str(line.get_label()), str(line.get_linestyle())): line for axis in axes for line in axis.lines}
        legend_below(figure, [label for label, _ in known], list(known.values()))
        return figure

    return draw


def _panel(axis: Axes, quantity: Quantity, arms: pd.DataFrame, looks: Mapping[str, Look], theme: Theme) -> None:
    marks = {mark.method: mark for mark in quantity.marks() if mark.estimate.value is not None}
    own = arms[arms["method"].isin(list(marks))]
    for rule, varied in own.dropna(subset="x").sort_values("x", kind="stable").groupby("rule", sort=False):
        look, found = looks[str(varied["line"].iloc[0])], [marks[method] for method in varied["method"]]
        means = np.array([mark.estimate.value for mark in found], dtype=np.float64)
        axis.plot(varied["x"], means, color=look.colour, linewidth=1.4, label=str(rule))
        for x, mark in zip(varied["x"], found, strict=True):
            _mark(axis, x, mark, look, theme)
    flat = own[own["x"].isna()]
    side = min(0.045 + _FLAT_STEP * len(flat), 0.35)  # share of the panel that is free for their marks
    axis.margins(x=side / (1 - 2 * side))
    for place, arm in enumerate(flat.itertuples()):
        look, mark = looks[str(arm.line)], marks[str(arm.method)]
        axis.axhline(
            mark.estimate.value or 0.0, linestyle=_FLAT_DASHES[int(str(arm.turn)) % len(_FLAT_DASHES)],
            color=look.colour, label=mark.method,
        )  # fmt: skip
        _mark(axis, 1 - _FLAT_STEP * (place + 0.5), mark, look, theme, axis.get_yaxis_transform())


def _mark(axis: Axes, x: float, mark: Mark, look: Look, theme: Theme, transform: Transform | None = None) -> None:
    """Draw the mean, its interval as a thin bar and the prompts on top of it, so that no bar hides one."""
    shift: dict[str, Any] = {} if transform is None else {"transform": transform}
    axis.scatter(
        [x] * len(mark.prompts), mark.prompts, s=5, color=look.colour, alpha=0.45, linewidths=0, zorder=2.2, **shift
    )
    if mark.bounds:
        axis.vlines(x, *mark.bounds, color=look.colour, linewidth=0.7, label="_interval", **shift)
    axis.scatter(
        x, mark.estimate.value or 0.0, s=22, c=mark.fill(look, theme), marker=look.marker, edgecolors=look.colour,
        zorder=3, label="_mean", **shift,
    )  # fmt: skip


def _arms(frames: ReportFrames, path: str) -> pd.DataFrame:
    """Return the arms with the number at ``path``, and how each is drawn.

    A line has the arms of a registered method.  Where two of them have the same ``x``, they differ in more than that,
    and each combination of the other settings is a line with the label of its first arm.  An arm without ``x`` has the
    look of its method's line, if there is one, and dashes of its own.

    Returns:
        ``method`` (label), ``rule`` (name of its line), ``x`` (NaN without one), ``line`` (name of its look), ``turn``
        (number of the arms without x before it).
    """
    rows = []
    for label, cells in frames.cells.groupby("method", sort=False):
        settings = json.loads(str(cells.iloc[0]["settings"]))
        x = _pop_number(settings, path.split("."))
        others = {key: value for key, value in settings.items() if key not in _OF_ONE_CELL}
        rows.append((label, settings["method"], x, json.dumps(others, sort_keys=True)))
    arms = pd.DataFrame(rows, columns=["method", "rule", "x", "others"]).astype({"x": float})
    doubled = arms[arms["x"].notna() & arms.duplicated(["rule", "x"], keep=False)]["rule"]
    apart = arms["rule"].isin(doubled) & arms["x"].notna()
    arms.loc[apart, "rule"] = arms[apart].groupby(["rule", "others"])["method"].transform("first")
    alone = arms["x"].isna() & ~arms["rule"].isin(arms.loc[arms["x"].notna(), "rule"])
    arms["line"] = arms["rule"].mask(alone, arms["method"])
    arms["turn"] = arms["x"].isna().cumsum() - 1
    return arms.drop(columns="others")


def _pop_number(settings: Any, keys: Sequence[str]) -> float | None:
    """Take the number at a path out of the settings."""
    for key in keys[:-1]:
        settings = settings.get(key) if isinstance(settings, dict) else None
    number = settings.pop(keys[-1], None) if isinstance(settings, dict) else None
    return float(number) if isinstance(number, int | float) else None

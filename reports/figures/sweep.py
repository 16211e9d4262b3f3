"""Scores and costs against a number that a study varies: a panel per quantity, a line per method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

from reports.figures.drawing.layout import legend_below, legend_height, panels, title_panel
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.quantities import Quantity, quantities
from reports.figures.drawing.style import Draw, Theme
from reports.frames import DIVERGED, ReportFrames

_ACROSS: Final = 3  # panels in a row

#: Settings by which the cells of arms that are otherwise alike differ.
_OF_ONE_CELL: Final = ("label", "prompt_id", "prompt", "seed")


def sweep(
    frames: ReportFrames, *, metrics: Sequence[str], x: str, x_label: str = "", logarithmic: bool = False
) -> Draw:
    """Draw means over prompts as large marks, prompts as small ones, and arms without x as dashed lines.

    Marks of means are hollow if a cell diverged.

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
    names = [*arms["rule"].unique(), *arms.loc[arms["x"].isna(), "method"]]
    shown = quantities(frames, metrics)
    if all(quantity.table.empty for quantity in shown):
        raise NothingToDraw("no completed cell has a score")

    def draw(theme: Theme) -> Figure:
        foot = legend_height(names, min(_ACROSS, len(shown)) * 2.5)
        figure, axes = panels(len(shown), across=_ACROSS, foot=foot)
        for axis, quantity in zip(axes, shown, strict=True):
            _panel(axis, quantity, arms, theme)
            if logarithmic:
                axis.set_xscale("log")
                axis.xaxis.set_major_formatter(ScalarFormatter())
                axis.xaxis.set_minor_locator(NullLocator())
            axis.set_xticks(sorted(arms["x"].dropna().unique()))
            axis.set_xlabel(x_label or x)
            title_panel(axis, quantity.label)
        handles, labels = axes[0].get_legend_handles_labels()
        legend_below(figure, labels, handles)
        return figure

    return draw


def _panel(axis: Axes, quantity: Quantity, arms: pd.DataFrame, theme: Theme) -> None:
    values = quantity.table.merge(arms, on="method")
    for index, (rule, own) in enumerate(values.groupby("rule", sort=False)):
        colour = theme.series[index % len(theme.series)]
        for method, flat in own[own["x"].isna()].groupby("method", sort=False):
            axis.axhline(quantity.means(flat, "method").iloc[0], linestyle="--", color=colour, label=method)
        varied = own.dropna(subset="x")
        if varied.empty:
            continue
        axis.scatter(varied["x"], varied["value"], s=5, color=colour, alpha=0.45, linewidths=0)
        means = quantity.means(varied, "x").sort_index()
        axis.plot(means.index, means, color=colour, linewidth=1.4, label=str(rule))
        fill = [theme.paper if diverged else colour for diverged in varied.groupby("x")["diverged"].max()]
        axis.scatter(means.index, means, s=22, c=fill, edgecolors=colour, zorder=3)


def _arms(frames: ReportFrames, path: str) -> pd.DataFrame:
    """Return ``method`` (label), ``rule`` (name of its line), ``x`` (NaN without one), ``diverged`` (of any cell).

    A line has the arms of a registered method.  Where two of them have the same ``x``, they differ in more than that,
    and each combination of the other settings is a line with the label of its first arm.
    """
    rows = []
    for label, cells in frames.cells.groupby("method", sort=False):
        settings = json.loads(str(cells.iloc[0]["settings"]))
        diverged = bool(cells["status"].isin(DIVERGED).any())
        x = _pop_number(settings, path.split("."))
        others = {key: value for key, value in settings.items() if key not in _OF_ONE_CELL}
        rows.append((label, settings["method"], x, diverged, json.dumps(others, sort_keys=True)))
    arms = pd.DataFrame(rows, columns=["method", "rule", "x", "diverged", "others"]).astype({"x": float})
    doubled = arms[arms["x"].notna() & arms.duplicated(["rule", "x"], keep=False)]["rule"]
    apart = arms["rule"].isin(doubled) & arms["x"].notna()
    arms.loc[apart, "rule"] = arms[apart].groupby(["rule", "others"])["method"].transform("first")
    return arms.drop(columns="others")


def _pop_number(settings: Any, keys: Sequence[str]) -> float | None:
    """Take the number at a path out of the settings."""
    for key in keys[:-1]:
        settings = settings.get(key) if isinstance(settings, dict) else None
    number = settings.pop(keys[-1], None) if isinstance(settings, dict) else None
    return float(number) if isinstance(number, int | float) else None

"""Scores and costs against a number that a study varies: a panel for each, a line for each method."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, Final

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.ticker import NullLocator, ScalarFormatter

from reports.figures.layout import legend_below, legend_height, panels
from reports.figures.quantities import quantity
from reports.figures.style import Theme
from reports.frames import DIVERGED, ReportError, ReportFrames

_ACROSS: Final = 3  # panels in a row


def sweep(
    frames: ReportFrames, theme: Theme, *, metrics: Sequence[str], path: str, label: str, logarithmic: bool
) -> Figure:
    """Large marks are means over prompts, small ones prompts; hollow where a cell diverged; dashed: arms without x.

    Args:
        frames: The study's results.
        theme: Colours.
        metrics: A panel each.
        path: Where the varied number stands in a cell's settings, keys joined by dots.
        label: Of the horizontal axis.
        logarithmic: Whether that axis is.

    Raises:
        ReportError: If no arm has a number at ``path``, or a metric is unknown.
    """
    arms = _arms(frames, path)
    if arms["x"].isna().all():
        raise ReportError(f"x: no cell has a number at {path!r}")
    names = [*arms["rule"].unique(), *arms.loc[arms["x"].isna(), "method"]]
    foot = legend_height(names, min(_ACROSS, len(metrics)) * 2.5)
    figure, axes = panels(len(metrics), across=_ACROSS, foot=foot)
    for axis, name in zip(axes, metrics, strict=True):
        shown = quantity(frames, name)
        values = shown.table.merge(arms, on="method")
        for index, (rule, own) in enumerate(values.groupby("rule", sort=False)):
            colour = theme.series[index % len(theme.series)]
            for method, flat in own[own["x"].isna()].groupby("method", sort=False):
                axis.axhline(flat["value"].mean(), linestyle="--", color=colour, label=method)
            varied = own.dropna(subset="x")
            if varied.empty:
                continue
            axis.scatter(varied["x"], varied["value"], s=5, color=colour, alpha=0.45, linewidths=0)
            means = varied.groupby("x").agg({"value": "mean", "diverged": "max"})
            axis.plot(means.index, means["value"], color=colour, linewidth=1.4, label=str(rule))
            fill = [theme.paper if diverged else colour for diverged in means["diverged"]]
            axis.scatter(means.index, means["value"], s=22, c=fill, edgecolors=colour, zorder=3)
        if logarithmic:
            axis.set_xscale("log")
            axis.xaxis.set_major_formatter(ScalarFormatter())
            axis.xaxis.set_minor_locator(NullLocator())
        axis.set_xticks(sorted(arms["x"].dropna().unique()))
        axis.set_xlabel(label)
        axis.set_title(shown.label)
    handles, labels = axes[0].get_legend_handles_labels()
    legend_below(figure, labels, handles)
    return figure


def _arms(frames: ReportFrames, path: str) -> pd.DataFrame:
    """``method`` (label), ``rule`` (registered method), ``x`` (NaN without one) and whether any cell ``diverged``."""
    rows = []
    for label, cells in frames.cells.groupby("method", sort=False):
        settings = json.loads(str(cells.iloc[0]["settings"]))
        diverged = bool(cells["status"].isin(DIVERGED).any())
        rows.append((label, settings["method"], _number(settings, path), diverged))
    return pd.DataFrame(rows, columns=["method", "rule", "x", "diverged"]).astype({"x": float})


def _number(settings: Any, path: str) -> float | None:
    for key in path.split("."):
        settings = settings.get(key) if isinstance(settings, dict) else None
    return float(settings) if isinstance(settings, int | float) else None

"""Loss and opacity over the optimisation: a panel for each method, a line for each cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.style import Theme
from reports.frames import DIVERGED, ReportFrames

POINTS = 240  # of a line at most: more cannot be seen in a panel this wide
_PER_ROW = 4  # methods
_LOG_FROM = 30  # largest over smallest loss: fewer than that are read better on a linear axis


def curves(frames: ReportFrames, theme: Theme) -> Figure:
    """Thin lines are cells (dashed: diverged), the thick one is the mean of the completed cells.

    The loss of one method is not that of another, so each panel has its own loss axis.
    """
    methods = frames.methods
    across = min(_PER_ROW, len(methods))
    rows = 2 * -(-len(methods) // across)
    width, height = 2.6 * across + 0.6, 1.75 * rows + 0.3  # inches
    figure = Figure(figsize=(width, height))
    margins = {"left": 0.62 / width, "right": 1 - 0.1 / width, "bottom": 0.45 / height, "top": 1 - 0.3 / height}
    axes = figure.subplots(rows, across, squeeze=False, gridspec_kw={**margins, "wspace": 0.3, "hspace": 0.42})
    for axis in axes.flat:
        axis.set_visible(False)
    status = frames.cells.set_index("cell")["status"]
    for index, method in enumerate(methods):
        events = thinned(frames.events[frames.events["method"] == method])
        row, column = 2 * (index // across), index % across
        for offset, quantity in enumerate(("loss", "opacity")):
            axis = axes[row + offset, column]
            axis.set_visible(True)
            _panel(axis, events, quantity, status, theme)
            if column == 0:
                axis.set_ylabel(quantity)
        axes[row, column].set_title(method)
        axes[row + 1, column].set_ylim(-0.02, 1.02)
        axes[row + 1, column].set_xlabel("step")
    return figure


def thinned(events: pd.DataFrame) -> pd.DataFrame:
    """Mean of the finite ``loss`` and ``opacity`` over equal runs of steps, at most ``POINTS`` a cell."""
    if events.empty:
        return events[["cell", "step", "loss", "opacity"]]
    width = int(events["step"].max()) // POINTS + 1
    finite = events[["loss", "opacity"]].astype(float).replace([np.inf, -np.inf], np.nan)
    binned = finite.assign(cell=events["cell"], step=events["step"] // width * width)
    return binned.groupby(["cell", "step"], sort=False)[["loss", "opacity"]].mean().reset_index()


def _panel(axis: Axes, events: pd.DataFrame, quantity: str, status: pd.Series, theme: Theme) -> None:
    for cell, line in events.groupby("cell", sort=False):
        diverged = status[cell] in DIVERGED
        style, colour = ("--", theme.warning) if diverged else ("-", theme.line)
        axis.plot(line["step"], line[quantity], style, color=colour, alpha=0.9 if diverged else 0.35)
    completed = events[events["cell"].map(status) == "completed"]
    mean = completed.groupby("step")[quantity].mean()
    axis.plot(mean.index, mean, color=theme.line, linewidth=1.6)
    low, high = events[quantity].min(), events[quantity].max()
    if quantity == "loss" and 0 < _LOG_FROM * low < high:
        axis.set_yscale("log")

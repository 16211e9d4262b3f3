"""Loss and opacity during the optimisation: a panel per method, a line per cell."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.drawing.layout import LINE, broken, panels, title_panel
from reports.figures.drawing.log_axis import make_logarithmic
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import Draw, Theme
from reports.frames import DIVERGED, ReportFrames

POINTS = 240  # most points of a line: more cannot be seen in a panel of this width
_PER_ROW = 4  # methods in a row
_LOG_FROM = 30  # ratio of the largest to the smallest loss from which the axis is logarithmic


def curves(frames: ReportFrames) -> Draw:
    """Draw a thin line per cell (dashed: diverged), and the mean of the completed cells as a thick one.

    The losses of two methods are not comparable, so each panel has its own loss axis.

    Raises:
        NothingToDraw: If no step was logged.
    """
    if frames.events.empty:
        raise NothingToDraw("no step was logged")
    logged = set(frames.events["method"].unique())
    methods = [method for method in frames.methods if method in logged]  # renders of other code have no steps
    events = {method: thin_events(frames.events[frames.events["method"] == method]) for method in methods}
    status = frames.cells.set_index("cell")["status"]

    def draw(theme: Theme) -> Figure:
        across = min(_PER_ROW, len(methods))
        titles = [broken(method, 26) for method in methods]
        top = 0.14 + LINE * max(len(title.splitlines()) for title in titles)
        count = 2 * across * -(-len(methods) // across)
        figure, axes = panels(count, across=across, width=2.0, height=1.15, left=0.6, top=top, bottom=0.4)
        for axis in axes:
            axis.set_visible(False)
        for index, method in enumerate(methods):
            row, column = divmod(index, across)
            for offset, quantity in enumerate(("loss", "opacity")):
                axis = axes[(2 * row + offset) * across + column]
                axis.set_visible(True)
                _panel(axis, events[method], quantity, status, theme)
                if column == 0:
                    axis.set_ylabel(quantity)
                if quantity == "loss":
                    title_panel(axis, titles[index])
                else:
                    axis.set_ylim(-0.02, 1.02)
                    axis.set_xlabel("step")
        return figure

    return draw


def thin_events(events: pd.DataFrame) -> pd.DataFrame:
    """Average the finite ``loss`` and ``opacity`` over equal numbers of steps, to at most ``POINTS`` per cell."""
    if events.empty:
        return events[["cell", "step", "loss", "opacity"]]
    width = int(events["step"].max()) // POINTS + 1
    finite = events[["loss", "opacity"]].astype(float).replace([np.inf, -np.inf], np.nan)
    binned = finite.assign(cell=events["cell"], step=events["step"] // width * width)
    return binned.groupby(["cell", "step"], sort=False)[["loss", "opacity"]].mean().reset_index()


def _panel(axis: Axes, events: pd.DataFrame, quantity: str, status: pd.Series, theme: Theme) -> None:
    crowd = events["cell"].nunique()
    for cell, line in events.groupby("cell", sort=False):
        diverged = status[cell] in DIVERGED
        style, colour, faintest, strongest = (
            ("--", theme.warning, 0.4, 0.9) if diverged else ("-", theme.line, 0.1, 0.35)
        )
        axis.plot(line["step"], line[quantity], style, color=colour, alpha=np.clip(5 / crowd, faintest, strongest))
    completed = events[events["cell"].map(status) == "completed"]
    mean = completed.groupby("step")[quantity].mean()
    axis.plot(mean.index, mean, color=theme.ink, linewidth=1.4)
    low, high = events[quantity].min(), events[quantity].max()
    if quantity == "loss" and 0 < _LOG_FROM * low < high:
        make_logarithmic(axis, "y")

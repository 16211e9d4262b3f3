"""Distance of each method's noise from its fixed point, against the diffusion time (figure 9)."""

from __future__ import annotations

from typing import Final

import numpy as np
from matplotlib.figure import Figure

from reports.figures.drawing.layout import legend_below, legend_height, panels
from reports.figures.drawing.log_axis import make_logarithmic
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames

_BINS: Final = 10
_WIDTH: Final = 3.8  # width of the panel, inches


def error_by_timestep(frames: ReportFrames) -> Draw:
    """Draw the mean error of eq. 8 of arXiv 2405.15891 over bins of t: a thin line per cell, a thick one for the mean.

    Raises:
        NothingToDraw: If no method logged the error.
    """
    events = frames.events.dropna(subset="fixed_point_error")
    if events.empty:
        raise NothingToDraw("no method of the study logged its fixed_point_error")
    edges = np.linspace(events["timestep"].min(), events["timestep"].max() + 1e-6, _BINS + 1)
    middle = (edges[:-1] + edges[1:]) / 2
    which = np.clip(np.digitize(events["timestep"], edges) - 1, 0, _BINS - 1)
    events = events.assign(t=middle[which])
    methods = [str(method) for method in events["method"].unique()]

    def draw(theme: Theme) -> Figure:
        foot = legend_height(methods, _WIDTH + 0.87)
        figure, (axis,) = panels(1, width=_WIDTH, height=2.2, left=0.75, foot=foot)
        for index, (method, own) in enumerate(events.groupby("method", sort=False)):
            colour = theme.series[index % len(theme.series)]
            for _, cell in own.groupby("cell", sort=False):
                line = cell.groupby("t")["fixed_point_error"].mean()
                axis.plot(line.index, line, color=colour, alpha=0.3, linewidth=0.6)
            mean = own.groupby(["cell", "t"])["fixed_point_error"].mean().groupby("t").mean()
            axis.plot(mean.index, mean, color=colour, linewidth=1.6, label=str(method))
        make_logarithmic(axis, "y")
        axis.invert_xaxis()  # the direction of an annealed optimisation
        axis.set_xlabel("diffusion timestep t")
        axis.set_ylabel("σ(t)² · mean (ε̂ − κ)²")
        legend_below(figure, *axis.get_legend_handles_labels()[::-1])
        return figure

    return draw

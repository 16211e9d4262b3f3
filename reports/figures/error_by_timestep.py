"""Distance of each method's noise from its fixed point, against the diffusion time (figure 9)."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.drawing.layout import legend_below, legend_height, panels
from reports.figures.drawing.log_axis import make_logarithmic
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames

_BINS: Final = 10
_WIDTH: Final = 3.8  # width of the panel, inches
_ABOVE: Final = 0.45  # inches above the panel: ticks and label of the second axis
_SAME: Final = 0.1  # log-SNRs nearer than this are one noise level


def error_by_timestep(frames: ReportFrames) -> Draw:
    """Draw the mean error of eq. 8 of arXiv 2405.15891 over bins of t: a thin line per cell, a thick one for the mean.

    A second axis has the log-SNR of t, unless the records do not have it or the cells' priors differ in it.

    Raises:
        NothingToDraw: If no method logged the error.
    """
    events = frames.events.dropna(subset="fixed_point_error")
    if events.empty:
        raise NothingToDraw("no method of the study logged its fixed_point_error")
    edges = np.linspace(events["timestep"].min(), events["timestep"].max() + 1e-6, _BINS + 1)
    middle = (edges[:-1] + edges[1:]) / 2
    which = np.clip(np.digitize(events["timestep"], edges) - 1, 0, _BINS - 1)
    levels = _levels(events)
    events = events.assign(t=middle[which])
    methods = [str(method) for method in events["method"].unique()]

    def draw(theme: Theme) -> Figure:
        foot = legend_height(methods, _WIDTH + 0.87)
        top = 0.3 if levels.empty else _ABOVE
        figure, (axis,) = panels(1, width=_WIDTH, height=2.2, left=0.75, top=top, foot=foot)
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
        _add_log_snr(axis, levels)
        legend_below(figure, *axis.get_legend_handles_labels()[::-1])
        return figure

    return draw


def _levels(events: pd.DataFrame) -> pd.Series:
    """Log-SNR by timestep, rising in t; empty if it was not logged, or one t has several."""
    by_t = events["log_snr"].astype(float).groupby(events["timestep"])
    levels = by_t.mean().dropna()
    is_one = bool(((by_t.max() - by_t.min()).dropna() <= _SAME).all()) and bool((levels.diff().dropna() <= _SAME).all())
    return levels if is_one else levels.iloc[:0]


def _add_log_snr(axis: Axes, levels: pd.Series) -> None:
    """Label the ticks of t that are within ``levels`` with their log-SNR, above the panel."""
    if levels.empty:
        return
    ticks = [tick for tick in axis.get_xticks() if levels.index[0] <= tick <= levels.index[-1]]
    shown = np.interp(ticks, levels.index.to_numpy(float), levels.to_numpy())
    above = axis.secondary_xaxis("top")
    above.set_xticks(ticks, [f"{value:+.1f}".replace("-", "−") for value in shown])
    above.set_xlabel("log-SNR of t")

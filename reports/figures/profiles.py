"""Performance profiles: the share of prompts on which a method is better than τ, for every τ."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.drawing.layout import broken, legend_below, legend_height, panels, title_panel
from reports.figures.drawing.looks import looks
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.quantities import Quantity, quantities
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames, listed
from reports.statistics import StudyScores, performance_profile
from reports.statistics.constants import SEED
from reports.statistics.values import Floats

_THRESHOLDS: Final = 60
_ACROSS: Final = 3  # panels in a row
_WIDTH: Final = 2.5  # width of a panel, inches


def profiles(frames: ReportFrames, *, metrics: Sequence[str]) -> Draw:
    """Draw a panel per metric, a line per method and a band of pointwise intervals (Agarwal et al. 2021).

    A diverged cell is better than no τ, so the line of a method that loses prompts starts below 1; cells that failed
    or have no score do not count.  A metric with a target is replaced by the distance to it.

    Raises:
        NothingToDraw: If no cell has a score.
        ReportError: If a metric is unknown.
    """
    diverged = StudyScores.divergence(frames.cells).means == 1
    found: list[tuple[Quantity, dict[str, pd.DataFrame]]] = []
    for shown in quantities(frames, metrics, compared=True):
        higher = shown.higher_is_better is not False
        values = np.where(diverged, -np.inf if higher else np.inf, shown.scores.means)
        if (grid := _thresholds(values)) is None:
            continue
        own = dict(zip(frames.methods, values, strict=True))
        lines = {name: performance_profile(own[name], grid, SEED, higher_is_better=higher) for name in own}
        found.append((shown, {name: line for name, line in lines.items() if line["share"].notna().all()}))
    if not found:
        raise NothingToDraw(f"no completed cell has a value of {listed(metrics)}")

    def draw(theme: Theme) -> Figure:
        look = looks(frames.methods, theme)
        labels = [broken(name, 40) for name in look]
        keys = [Line2D([], [], color=own.colour, linestyle=own.dashes, linewidth=1.3) for own in look.values()]
        across = min(_ACROSS, len(found))
        foot = legend_height(labels, across * (_WIDTH + 0.4) + 0.2)
        figure, axes = panels(len(found), across=across, width=_WIDTH, height=1.7, left=0.55, foot=foot)
        for axis, (shown, lines) in zip(axes, found, strict=True):
            for name, line in lines.items():
                own = look[name]
                if line["low"].notna().any():
                    axis.fill_between(
                        line["threshold"],
                        line["low"],
                        line["high"],
                        color=own.colour,
                        alpha=min(0.15, 0.6 / len(lines)),
                        linewidth=0,
                    )
                axis.plot(
                    line["threshold"], line["share"], color=own.colour, linestyle=own.dashes, linewidth=1.3,
                    label=f"_{name}",
                )  # fmt: skip
            axis.set_ylim(-0.02, 1.02)
            title_panel(axis, shown.label)
            axis.set_xlabel(f"τ ({'share above' if shown.higher_is_better is not False else 'share below'})")
        for axis in axes[::across]:
            axis.set_ylabel("share of prompts")
        legend_below(figure, labels, keys)
        return figure

    return draw


def _thresholds(values: Floats) -> list[float] | None:
    """Return even thresholds from below the worst score to above the best; None without a score."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return None
    low, high = finite.min(), finite.max()
    pad = 0.02 * (high - low) or 0.5
    return [float(value) for value in np.linspace(low - pad, high + pad, _THRESHOLDS)]

"""Power by spatial frequency, relative to the truth or to the prior's own images: a line per method."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.drawing.layout import broken, legend_below, legend_height, panels
from reports.figures.drawing.log_axis import make_logarithmic
from reports.figures.drawing.looks import Look, looks
from reports.figures.drawing.marks import Mark
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames
from reports.means import asset_means, control_means
from reports.statistics import StudyScores
from reports.statistics.values import Floats
from reports.tables.columns import mean_of, spectrum_columns

_WIDTH: Final = 4.6  # width of the panel, inches
_REACH: Final = 4.0  # factor beyond the methods' range within which a control is drawn
#: Dashes of the controls, in their order.
_DASHES: Final[tuple[Any, ...]] = (":", "-.", "--", (0, (6, 1, 1, 1)), (0, (4, 2, 1, 2)))


def spectrum(frames: ReportFrames) -> Draw:
    """Draw the columns of the group ``spectrum`` as a curve per method and control, on logarithmic axes.

    The axis of the frequencies is logarithmic because the columns are octaves.  An octave that no method has a value in
    is left out.

    Raises:
        NothingToDraw: If no metric of the study has a power spectrum, or no completed cell has a value in one.
    """
    columns = spectrum_columns(frames)
    if not columns:
        raise NothingToDraw("no metric of the study has a power spectrum")
    assets = asset_means(frames)
    curves: dict[str, list[Mark]] = {method: [] for method in frames.methods}
    levels: dict[str, list[float]] = {name: [] for name in frames.control_titles}
    shown = []
    for column in columns:
        scores = StudyScores.of(assets, frames.cells, column.key)
        if np.isnan(scores.means).all():
            continue
        shown.append(column)
        for method, marks in curves.items():
            marks.append(Mark.of(method, scores.method(method), mean_of(column)))
        for name, line in levels.items():
            own = np.array(list(control_means(frames, name, column.key).values()))
            line.append(float(mean_of(column)(own, axis=-1)) if own.size else np.nan)
    if not shown:
        raise NothingToDraw("no completed cell has a power spectrum")
    target = shown[-1].target or 100.0
    means = [mark.estimate.value for marks in curves.values() for mark in marks if mark.estimate.value is not None]
    low, high = min(*means, target) / _REACH, max(*means, target) * _REACH
    near = {name: np.array(line) for name, line in levels.items() if _is_within(np.array(line), low, high)}

    def draw(theme: Theme) -> Figure:
        look = looks(frames.methods, theme)
        labels = [*(broken(name, 40) for name in look), *(frames.control_titles[name] for name in near), "reference"]
        dashes = dict(zip(levels, _DASHES * len(levels), strict=False))
        keys = [
            *(Line2D([], [], color=own.colour, linestyle=own.dashes, linewidth=1.3) for own in look.values()),
            *(Line2D([], [], color=theme.ink, linestyle=dashes[name], linewidth=0.9) for name in near),
            Line2D([], [], color=theme.ink, linewidth=1.2),
        ]
        foot = legend_height(labels, _WIDTH + 0.87)
        figure, (axis,) = panels(1, width=_WIDTH, height=2.6, left=0.75, foot=foot)
        x = np.arange(len(shown))
        axis.axhline(target, color=theme.ink, linewidth=1.2, label="_reference")
        for method, marks in curves.items():
            _line(axis, x, marks, look[method])
        for name, line in near.items():
            axis.plot(x, line, color=theme.ink, linestyle=dashes[name], linewidth=0.9, alpha=0.75, label=f"_{name}")
        make_logarithmic(axis, "y")
        axis.set_xticks(x, [column.title for column in shown])
        axis.set_xlabel("spatial frequency, octave from this share of Nyquist up")
        axis.set_ylabel("power, % of the reference's")
        legend_below(figure, labels, keys)
        return figure

    return draw


def _is_within(line: Floats, low: float, high: float) -> bool:
    known = line[~np.isnan(line)]
    return bool(known.size and (known >= low).all() and (known <= high).all())


def _line(axis: Axes, x: np.ndarray, marks: list[Mark], look: Look) -> None:
    y = [np.nan if mark.estimate.value is None else mark.estimate.value for mark in marks]
    bounds = np.array([mark.bounds or (np.nan, np.nan) for mark in marks])
    if np.isfinite(bounds).any():
        axis.fill_between(x, *bounds.T, color=look.colour, alpha=0.13, linewidth=0, label="_interval")
    else:
        for at, mark in zip(x, marks, strict=True):
            prompts = mark.prompts[mark.prompts > 0]
            axis.plot([at] * len(prompts), prompts, ".", color=look.colour, alpha=0.35, markersize=4, label="_prompts")
    axis.plot(
        x, y, look.marker, color=look.colour, linestyle=look.dashes, linewidth=1.3, markersize=3.5,
        label=f"_{marks[0].method}",
    )  # fmt: skip

"""All metrics in one figure: methods as rows, controls as lines to compare with."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.drawing.layout import legend_below, legend_height, title_panel
from reports.figures.drawing.looks import looks
from reports.figures.drawing.marks import Mark, draw_rows
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.quantities import Quantity, quantities
from reports.figures.drawing.rows import ACROSS, row_panels
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames
from reports.means import control_means

#: Dashes of the controls, in their order.
_DASHES: Final[tuple[Any, ...]] = (":", "-.", "--", "-", (0, (6, 1, 1, 1, 1, 1)), (0, (4, 2, 1, 2)))
_REACH: Final = 0.7  # widths of the methods' range within which a control is drawn in place


def overview(frames: ReportFrames, *, metrics: Sequence[str]) -> Draw:
    """Draw a panel per metric: means over prompts with their intervals, and the controls' means as vertical lines.

    A mark is hollow if the method lacks prompts; with too few prompts for an interval they are faint points.  A control
    that is so far off that it would squeeze the methods together is named at the edge of the panel.

    Raises:
        NothingToDraw: If no cell has a score.
        ReportError: If a metric is unknown.
    """
    panels = quantities(frames, metrics)
    levels, controls = _levels(frames, panels), frames.control_titles
    found: list[tuple[Quantity, list[Mark]]] = []
    for shown in panels:
        marks = shown.marks()
        if any(mark.estimate.value is not None for mark in marks):
            found.append((shown, marks))
    if not found:
        raise NothingToDraw("no completed cell has a score")
    dashes = {name: _DASHES[index % len(_DASHES)] for index, name in enumerate(controls)}
    present = [name for name in controls if any(name in of_metric for of_metric in levels.values())]

    def draw(theme: Theme) -> Figure:
        labels = [controls[name] for name in present]
        keys = [Line2D([], [], color=theme.ink, linestyle=dashes[name], linewidth=0.9) for name in present]
        foot = legend_height(labels, min(ACROSS, len(found)) * 1.9)
        figure, axes = row_panels(frames.methods, len(found), under=2 if levels else 0, foot=foot)
        look = looks(frames.methods, theme)
        for axis, (shown, marks) in zip(axes, found, strict=True):
            draw_rows(axis, marks, range(len(marks)), look, theme)
            squeezes = sum(mark.estimate.value is not None for mark in marks) > 1
            _draw_levels(axis, levels.get(shown.name, {}), dashes, theme, squeezes=squeezes)
            title_panel(axis, shown.label)
        legend_below(figure, labels, keys)
        return figure

    return draw


def _levels(frames: ReportFrames, shown: Sequence[Quantity]) -> dict[str, dict[str, float]]:
    """Average each control over views, then over prompts, by metric and control, in printed units."""
    found: dict[str, dict[str, float]] = {}
    scored = set(frames.metric_columns["metric"])
    for quantity in [quantity for quantity in shown if quantity.name in scored]:  # costs have no controls
        for control in frames.control_titles:
            own = np.array(list(control_means(frames, control, quantity.name).values()))
            if own.size and np.isfinite(value := float(quantity.mean(own, axis=-1))):
                found.setdefault(quantity.name, {})[control] = value
    return found


def _draw_levels(
    axis: Axes, levels: Mapping[str, float], dashes: Mapping[str, Any], theme: Theme, *, squeezes: bool
) -> None:
    low, high = axis.get_xlim()
    reach = _REACH * (high - low) if squeezes else np.inf
    near = {name: value for name, value in levels.items() if low - reach <= value <= high + reach}
    for name, value in near.items():
        axis.axvline(value, color=theme.ink, linestyle=dashes[name], linewidth=0.9, alpha=0.75, label=f"_{name}")
    if near:
        low, high = min(low, *near.values()), max(high, *near.values())
        axis.set_xlim(low - 0.03 * (high - low), high + 0.03 * (high - low))
    far = sorted((value, name.replace("_", "\u00a0")) for name, value in levels.items() if name not in near)
    below, above = (
        [f"{name}\u00a0{_short(value)}" for value, name in far if (value < low) == side] for side in (True, False)
    )
    words = [f"←\u00a0{', '.join(below)}"] * bool(below) + [f"{', '.join(above)}\u00a0→"] * bool(above)
    axis.set_xlabel("\n".join(line for side in words for line in textwrap.wrap(side, 33)), fontsize=6.5, loc="left")


def _short(value: float) -> str:
    return f"{value:.3g}".replace("-", "−")

"""Every metric at one look: methods as rows, what no method made as lines to compare with."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.estimates import Mark, draw_rows
from reports.figures.layout import legend_below, legend_height
from reports.figures.looks import looks
from reports.figures.nothing_to_draw import NothingToDraw
from reports.figures.quantities import Quantity, quantities
from reports.figures.rows import ACROSS, row_panels
from reports.figures.style import Draw, Theme
from reports.frames import ReportFrames

#: Mean and SD (None where not printed) of a method, by metric and method, in the printed unit.
Published = Mapping[str, Mapping[str, tuple[float, float | None]]]

_CONTROLS: Final[Mapping[str, tuple[str, Any]]] = {
    "blank": ("blank picture", ":"),
    "noise": ("noise", "-."),
    "other_prompt": ("picture of another prompt", "--"),
    "prior_2d": ("the prior's own pictures", "-"),
}
_REACH: Final = 0.7  # widths of the methods' range within which a control is still drawn in place


def overview(frames: ReportFrames, *, metrics: Sequence[str], published: Published | None = None) -> Draw:
    """A panel for each metric: mean over prompts with its 95 % interval, the controls' means as vertical lines.

    A mark is hollow where the method lacks prompts; where there are too few prompts for an interval they are faint
    points.  A control so far off that it would squeeze the methods together is named at the edge it lies behind.

    Args:
        frames: The study's results.
        metrics: A panel each.
        published: Figures of a paper, drawn below the method's own as a cross with its SD.

    Raises:
        NothingToDraw: If no cell has a score.
        ReportError: If a metric is unknown.
    """
    levels = _levels(frames)
    found: list[tuple[Quantity, list[Mark]]] = []
    for shown in quantities(frames, metrics):
        marks = [Mark.of(method, shown.scores.method(method)) for method in frames.methods]
        if any(mark.estimate.value is not None for mark in marks):
            found.append((shown, marks))
    if not found:
        raise NothingToDraw("no completed cell has a score")

    def draw(theme: Theme) -> Figure:
        labels, keys = _keys(levels, theme, published=published or {})
        foot = legend_height(labels, min(ACROSS, len(found)) * 1.9)
        figure, axes = row_panels(frames.methods, len(found), under=2 if levels else 0, foot=foot)
        look = looks(frames.methods, theme)
        for axis, (shown, marks) in zip(axes, found, strict=True):
            draw_rows(axis, marks, range(len(marks)), look, theme)
            _draw_published(axis, (published or {}).get(shown.name, {}), frames.methods, theme)
            squeezes = sum(mark.estimate.value is not None for mark in marks) > 1
            _draw_levels(axis, levels.get(shown.name, {}), theme, squeezes=squeezes)
            axis.set_title(shown.label)
        legend_below(figure, labels, keys)
        return figure

    return draw


def _levels(frames: ReportFrames) -> dict[str, dict[str, float]]:
    """Mean over prompts of the mean over views of each control, by metric and control, scaled for print."""
    scale = frames.metric_columns.set_index("metric")["scale"].astype(float)
    rows = frames.controls.astype({"value": float}).dropna(subset="value")
    prompts = rows.groupby(["metric", "control", "prompt_id"], sort=False)["value"].mean()
    means = prompts.groupby(level=["metric", "control"], sort=False).mean()
    found: dict[str, dict[str, float]] = {}
    for row in means.reset_index().to_dict("records"):
        metric, control, value = str(row["metric"]), str(row["control"]), float(row["value"])
        if metric in scale.index and np.isfinite(value):
            found.setdefault(metric, {})[control] = value * float(scale[metric])
    return found


def _draw_published(
    axis: Axes, figures: Mapping[str, tuple[float, float | None]], methods: Sequence[str], theme: Theme
) -> None:
    for row, method in enumerate(methods):
        if method in figures:
            mean, sd = figures[method]
            if sd is not None:
                axis.plot((mean - sd, mean + sd), (row + 0.3,) * 2, color=theme.ink, linewidth=0.6, label="_published")
            axis.plot(mean, row + 0.3, "x", color=theme.ink, markersize=4, label="_published")


def _draw_levels(axis: Axes, levels: Mapping[str, float], theme: Theme, *, squeezes: bool) -> None:
    low, high = axis.get_xlim()
    reach = _REACH * (high - low) if squeezes else np.inf
    near = {name: value for name, value in levels.items() if low - reach <= value <= high + reach}
    for name, value in near.items():
        axis.axvline(value, color=theme.ink, linestyle=_look(name)[1], linewidth=0.9, alpha=0.75, label=f"_{name}")
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


def _look(control: str) -> tuple[str, Any]:
    """Words and linestyle; a control that somebody added goes by its name."""
    return _CONTROLS.get(control, (control.replace("_", " "), (0, (6, 1, 1, 1, 1, 1))))


def _keys(
    levels: Mapping[str, Mapping[str, float]], theme: Theme, *, published: Published
) -> tuple[list[str], list[Artist]]:
    """Labels and handles of the legend, the known controls first."""
    present = [name for of_metric in levels.values() for name in of_metric]
    controls = [name for name in dict.fromkeys([*_CONTROLS, *present]) if name in present]
    labels = [_look(name)[0] for name in controls]
    keys: list[Artist] = [Line2D([], [], color=theme.ink, linestyle=_look(name)[1], linewidth=0.9) for name in controls]
    if any(published.values()):
        labels.append("published mean ± SD")
        keys.append(Line2D([], [], color=theme.ink, marker="x", markersize=4, linewidth=0.6))
    return labels, keys

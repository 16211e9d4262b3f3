"""Every metric at one look: methods as rows, what no method made as lines to compare with."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.figures.estimates import Mark, draw_rows
from reports.figures.layout import LINE, legend_below
from reports.figures.looks import looks
from reports.figures.nothing_to_draw import NothingToDraw
from reports.figures.quantities import Quantity, quantities
from reports.figures.rows import row_panels
from reports.figures.style import Draw, Theme
from reports.frames import ReportError, ReportFrames

#: Mean and SD (None where not printed) of a method, by metric and method, in the printed unit.
Published = Mapping[str, Mapping[str, tuple[float, float | None]]]

_CONTROLS: Final = {
    "blank": ("blank picture", ":"),
    "noise": ("noise", "-."),
    "other_prompt": ("picture of another prompt", "--"),
    "prior_2d": ("the prior's own pictures", "-"),
}
_REACH: Final = 1.5  # widths of the methods' range within which a control is still drawn in place


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
        ReportError: If a metric or a control is unknown.
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
        keys = _keys(levels, theme, published=published or {})
        figure, axes = row_panels(frames.methods, len(found), foot=LINE * 1.4 * -(-len(keys) // 2))
        look = looks(frames.methods, theme)
        for axis, (shown, marks) in zip(axes, found, strict=True):
            draw_rows(axis, marks, range(len(marks)), look, theme)
            _draw_published(axis, (published or {}).get(shown.name, {}), frames.methods, theme)
            _draw_levels(axis, levels.get(shown.name, {}), theme)
            axis.set_title(shown.label)
        legend_below(figure, list(keys), list(keys.values()))
        return figure

    return draw


def _levels(frames: ReportFrames) -> dict[str, dict[str, float]]:
    """Mean over prompts of the mean over views of each control, by metric and control, scaled for print."""
    unknown = sorted(set(frames.controls["control"]) - set(_CONTROLS))
    if unknown:
        raise ReportError(f"controls.control: {unknown[0]!r} is not one of {', '.join(_CONTROLS)}")
    scale = frames.metric_columns.set_index("metric")["scale"].astype(float)
    rows = frames.controls.astype({"value": float}).dropna(subset="value")
    prompts = rows.groupby(["metric", "control", "prompt_id"], sort=False)["value"].mean()
    means: pd.Series = prompts.groupby(level=["metric", "control"], sort=False).mean()
    found: dict[str, dict[str, float]] = {}
    for (metric, control), value in means.items():  # type: ignore[misc]
        if metric in scale.index and np.isfinite(value):
            found.setdefault(str(metric), {})[str(control)] = float(value * scale[metric])
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


def _draw_levels(axis: Axes, levels: Mapping[str, float], theme: Theme) -> None:
    low, high = axis.get_xlim()
    reach = _REACH * (high - low)
    near = {name: value for name, value in levels.items() if low - reach <= value <= high + reach}
    for name, value in near.items():
        axis.axvline(value, color=theme.ink, linestyle=_CONTROLS[name][1], linewidth=0.9, alpha=0.75, label=f"_{name}")
    if near:
        pad = 0.04 * (max(high, *near.values()) - min(low, *near.values()))
        axis.set_xlim(min(low, *(value - pad for value in near.values())), max(high, *(v + pad for v in near.values())))
    far = sorted((value, name) for name, value in levels.items() if name not in near)
    for side, across, arrow in (("left", 0.02, "← {}"), ("right", 0.98, "{} →")):
        names = [f"{_CONTROLS[name][0]} {value:.3g}" for value, name in far if (value < low) == (side == "left")]
        for index, words in enumerate(names):
            axis.annotate(
                arrow.format(words), (across, 1), (0, -3 - 8 * index), xycoords="axes fraction",
                textcoords="offset points", ha=side, va="top", fontsize=6, color=theme.ink, label="_far",
            )  # fmt: skip


def _keys(levels: Mapping[str, Mapping[str, float]], theme: Theme, *, published: Published) -> dict[str, Artist]:
    present = {name for of_metric in levels.values() for name in of_metric}
    keys: dict[str, Artist] = {
        words: Line2D([], [], color=theme.ink, linestyle=style, linewidth=0.9)
        for name, (words, style) in _CONTROLS.items()
        if name in present
    }
    if any(published.values()):
        keys["published mean ± SD"] = Line2D([], [], color=theme.ink, marker="x", markersize=4, linewidth=0.6)
    return keys

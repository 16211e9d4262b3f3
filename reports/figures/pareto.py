"""Quality against cost: scores against time and network evaluations, with the Pareto front."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.costs import TIME, UNET_ROWS
from reports.figures.drawing.labels import Bar, Labelled, place_labels
from reports.figures.drawing.layout import metrics_across, panels, title_panel
from reports.figures.drawing.log_axis import make_logarithmic
from reports.figures.drawing.looks import Look, looks
from reports.figures.drawing.marks import Mark
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.quantities import Quantity, quantities
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames

_LOG_FROM = 6  # ratio of the highest to the lowest cost from which the axis is logarithmic


def pareto(
    frames: ReportFrames, *, metrics: Sequence[str], costs: Sequence[str] = (TIME.source, UNET_ROWS.source)
) -> Draw:
    """Draw a panel per metric and cost, with a mark per method at its means over prompts.

    Bars are intervals over prompts; with too few prompts for one, prompts are faint points.  A mark is hollow if the
    method lacks prompts.  The step line is the Pareto front of the means.  A metric with a target is replaced by the
    distance to it.

    Raises:
        NothingToDraw: If there are no methods, or each lacks a score or a cost.
        ReportError: If a metric or a cost is unknown.
    """
    scores, prices = quantities(frames, metrics, compared=True), quantities(frames, costs)
    shown = {quantity.name: _marks(quantity) for quantity in (*scores, *prices)}
    prices = [price for price in prices if any(mark.estimate.value for mark in shown[price.name].values())]
    scores = [score for score in scores if any(mark.estimate.value is not None for mark in shown[score.name].values())]
    if not scores or not prices or len(frames.methods) < 2:
        raise NothingToDraw("fewer than two methods have scores and costs")

    def draw(theme: Theme) -> Figure:
        across = len(prices) * metrics_across(len(scores))
        figure, axes = panels(len(scores) * len(prices), across=across, width=3.1, height=2.3, left=0.6, gap=0.62)
        look = looks(frames.methods, theme)
        for index, axis in enumerate(axes):
            score, price = scores[index // len(prices)], prices[index % len(prices)]
            _panel(axis, (price, score), (shown[price.name], shown[score.name]), look, theme)
        return figure

    return draw


def front(costs: Sequence[float], values: Sequence[float], *, higher_is_better: bool) -> list[int]:
    """Return the indices of the points on the Pareto front, from the lowest cost."""
    sign = -1 if higher_is_better else 1
    best, kept = np.inf, []
    for index in sorted(range(len(costs)), key=lambda i: (costs[i], sign * values[i])):
        if sign * values[index] < best:
            best = sign * values[index]
            kept.append(index)
    return kept


def _marks(quantity: Quantity) -> dict[str, Mark]:
    return {mark.method: mark for mark in quantity.marks()}


def _panel(
    axis: Axes,
    quantities: tuple[Quantity, Quantity],
    marks: tuple[dict[str, Mark], dict[str, Mark]],
    look: dict[str, Look],
    theme: Theme,
) -> None:
    price, score = quantities
    names, points = [], []
    for method in look:
        x, y = (own[method].estimate.value for own in marks)
        if x is not None and y is not None:
            names.append(method)
            points.append((x, y))
    axis.set_xlabel(price.label)
    title_panel(axis, f"{score.label} against {price.label.split(' (')[0]}")
    if not points:
        axis.text(0.5, 0.5, "no method has both", transform=axis.transAxes, ha="center", color=theme.ink)
        return
    bars: list[Bar] = []
    for method, (x, y) in zip(names, points, strict=True):
        bars += _uncertainty(axis, quantities, (marks[0][method], marks[1][method]), (x, y), look[method])
        fill = marks[1][method].fill(look[method], theme)
        axis.plot(
            x, y, look[method].marker, color=look[method].colour, markerfacecolor=fill, markersize=6, zorder=3,
            label=f"_{method}",
        )  # fmt: skip
    _scale(axis, [x for x, _ in points])
    axis.margins(0.12, 0.14)
    limits, heights = axis.get_xlim(), axis.get_ylim()
    if score.higher_is_better is not None:
        kept = [points[i] for i in front(*zip(*points, strict=True), higher_is_better=score.higher_is_better)]
        axis.plot(
            [*(x for x, _ in kept), limits[1]], [*(y for _, y in kept), kept[-1][1]], drawstyle="steps-post",
            color=theme.ink, alpha=0.6, linewidth=0.9, zorder=1.5, label="_front",
        )  # fmt: skip
        for (x, y), (after, _) in zip(kept, [*kept[1:], (limits[1], 0.0)], strict=True):
            bars.append((x, y, after, y))
    axis.set_xlim(limits)
    axis.set_ylim(heights)
    labelled = [Labelled(*point, name, look[name].colour) for name, point in zip(names, points, strict=True)]
    place_labels(axis, sorted(labelled, key=lambda mark: (mark.y, mark.x, mark.text)), bars, theme)


def _uncertainty(
    axis: Axes, quantities: tuple[Quantity, Quantity], marks: tuple[Mark, Mark], point: tuple[float, float], look: Look
) -> list[Bar]:
    """Draw the intervals in both directions, or the prompts as points, and return the intervals for the labels."""
    (x, y), (cost, score) = point, marks
    if score.bounds:
        bars = [(x, score.bounds[0], x, score.bounds[1])]
        if cost.bounds:
            bars.append((cost.bounds[0], y, cost.bounds[1], y))
        for left, bottom, right, top in bars:
            axis.plot((left, right), (bottom, top), color=look.colour, linewidth=1.0, alpha=0.8, label="_interval")
        return bars
    tables = [
        each.table[each.table["method"] == marks[0].method].set_index("prompt_id")["value"] for each in quantities
    ]
    both = tables[0].to_frame("cost").join(tables[1].rename("score"), how="inner").dropna()
    axis.plot(
        both["cost"], both["score"], look.marker, color=look.colour, alpha=0.35, markersize=3, markeredgewidth=0,
        label="_prompts",
    )  # fmt: skip
    return []


def _scale(axis: Axes, costs: Sequence[float]) -> None:
    if 0 < _LOG_FROM * min(costs) < max(costs):
        make_logarithmic(axis, "x")

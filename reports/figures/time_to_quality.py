"""Scores during the optimisation, against time and evaluations of the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from reports.costs import TIME, UNET_CALLS, Cost, study_costs
from reports.figures.drawing.layout import broken, legend_below, legend_height, metrics_across, panels, title_panel
from reports.figures.drawing.looks import Look, looks
from reports.figures.drawing.marks import Mark
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.quantities import quantities
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames
from reports.statistics.bootstrap import Statistic

_WIDTH: Final = 3.1  # width of a panel, inches
#: Quantities of the horizontal axes: the column during the optimisation, and the cost at its end.
_EFFORTS: Final = (("seconds", TIME), ("unet_calls", UNET_CALLS))


@dataclass(frozen=True)
class _Point:
    """A method's mean at one step, or at the end."""

    efforts: tuple[float, ...]  # means over prompts, in the order of _EFFORTS
    mark: Mark


@dataclass(frozen=True)
class _Course:
    """The scores of a method during the optimisation."""

    table: pd.DataFrame  # prompt_id, step, value, efforts; mean over seeds
    points: list[_Point]
    end: _Point | None  # over all views of the evaluation


def time_to_quality(frames: ReportFrames, *, metrics: Sequence[str]) -> Draw:
    """Draw panels per metric: score against time, and against UNet calls if they were logged.

    Lines are means of the snapshots' few views over the prompts that every method with snapshots completed, bands are
    intervals over prompts (with too few prompts, a thin line per prompt).  The large mark is the end, over all views of
    the evaluation; a dotted line leads to it.

    Raises:
        NothingToDraw: If there are no snapshots, or none of a prompt that all methods completed.
        ReportError: If a metric is unknown.
    """
    shown = quantities(frames, metrics)
    snapshots, prompts = _common(frames, metrics)
    found = []
    for quantity in shown:
        rows = snapshots[snapshots["metric"] == quantity.name]
        ends = quantity.table.merge(_ends(frames), on=["method", "prompt_id"])
        courses = {
            str(method): _course(own, ends[ends["method"] == method], prompts, quantity.mean)
            for method, own in rows.groupby("method", sort=False)
        }
        courses = {method: course for method, course in courses.items() if course.points}
        if courses:
            found.append((quantity.label, courses))
    if not found:
        raise NothingToDraw("no snapshot has a score")
    efforts = [
        index
        for index in range(len(_EFFORTS))
        if all(np.isfinite(p.efforts[index]) for _, all_ in found for course in all_.values() for p in course.points)
    ]

    efforts_as_text = [f"{cost.title} ({cost.unit})" for _, cost in _efforts(frames)]

    def draw(theme: Theme) -> Figure:
        look = looks(frames.methods, theme)
        drawn = {name: look[name] for name in look if any(name in courses for _, courses in found)}
        labels = [broken(name, 40) for name in drawn]
        keys = [
            Line2D([], [], color=own.colour, linestyle=own.dashes, marker=own.marker, markersize=4.5, linewidth=1.3)
            for own in drawn.values()
        ]
        across = len(efforts) * metrics_across(len(found))
        foot = legend_height(labels, across * (_WIDTH + 0.62) + 0.1)
        figure, axes = panels(
            len(found) * len(efforts), across=across, width=_WIDTH, height=2.0, left=0.6, gap=0.62, foot=foot
        )
        for index, axis in enumerate(axes):
            label, courses = found[index // len(efforts)]
            effort = efforts[index % len(efforts)]
            for name, course in courses.items():
                _line(axis, course, effort, drawn[name])
            title_panel(axis, f"{label}, {len(prompts)} prompt{'s' * (len(prompts) != 1)}")
            axis.set_xlabel(efforts_as_text[effort])
        legend_below(figure, labels, keys)
        return figure

    return draw


def _common(frames: ReportFrames, metrics: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """Select scored snapshots of completed cells, with their efforts, on the prompts that all their methods have."""
    completed = frames.cells.loc[frames.cells["status"] == "completed", "cell"]
    rows = frames.snapshots[frames.snapshots["cell"].isin(completed) & frames.snapshots["metric"].isin(metrics)]
    rows = rows.astype({"value": float, "seconds": float, "step": int}).dropna(subset="value")
    if rows.empty:
        raise NothingToDraw("the study has no snapshots during the optimisation")
    methods = rows.groupby("prompt_id")["method"].nunique()
    prompts = [prompt for prompt in frames.prompts if methods.get(prompt, 0) == rows["method"].nunique()]
    if not prompts:
        raise NothingToDraw("no prompt has snapshots of every method")
    scale = frames.metric_columns.set_index("metric")["scale"].astype(float)
    rows = _with_calls(rows[rows["prompt_id"].isin(prompts)], frames.events)
    rows = rows.assign(**{name: rows[name] / cost.size for name, cost in _efforts(frames)})
    return rows.assign(value=rows["value"] * rows["metric"].map(scale).astype(float)), prompts


def _with_calls(rows: pd.DataFrame, events: pd.DataFrame) -> pd.DataFrame:
    """Add ``unet_calls`` of the last event before each snapshot; 0 before the first step, NaN without events."""
    types = {"cell": str, "step": int, "unet_calls": float}  # strings may be categories, which differ between frames
    logged = events[list(types)].astype(types).sort_values("step")
    joined = pd.merge_asof(
        rows.astype({"cell": str}).sort_values("step", kind="stable"),
        logged,
        on="step",
        by="cell",
        allow_exact_matches=False,
    )
    silent = ~joined["cell"].isin(logged["cell"])
    return joined.assign(unet_calls=joined["unet_calls"].where((joined["step"] > 0) | silent, 0.0))


def _ends(frames: ReportFrames) -> pd.DataFrame:
    """Average the efforts of the completed cells over seeds: ``method, prompt_id`` and the names of ``_EFFORTS``."""
    completed = frames.cells[frames.cells["status"] == "completed"]
    efforts = {name: completed[cost.source].astype(float) / cost.size for name, cost in _efforts(frames)}
    own = completed[["method", "prompt_id"]].assign(**efforts)
    return own.groupby(["method", "prompt_id"], sort=False)[list(efforts)].mean().reset_index()


def _efforts(frames: ReportFrames) -> list[tuple[str, Cost]]:
    """Return ``_EFFORTS`` with the time in the study's unit."""
    suited = {cost.source: cost for cost in study_costs(frames)}
    return [(name, suited.get(cost.source, cost)) for name, cost in _EFFORTS]


def _course(rows: pd.DataFrame, ends: pd.DataFrame, prompts: Sequence[str], mean: Statistic) -> _Course:
    efforts = [name for name, _ in _EFFORTS]
    seeds = rows.groupby(["prompt_id", "seed", "step"], sort=False)[["value", *efforts]].mean()
    table = seeds.groupby(level=["prompt_id", "step"], sort=False).mean().reset_index()
    method = str(rows["method"].iloc[0])
    steps = [own for _, own in table.groupby("step") if len(own) == len(prompts)]  # otherwise the mean would jump
    points = [_point(method, own, prompts, mean) for own in steps]
    last = ends[ends["prompt_id"].isin(prompts)]
    return _Course(table, points, None if last.empty else _point(method, last, prompts, mean))


def _point(method: str, rows: pd.DataFrame, prompts: Sequence[str], mean: Statistic) -> _Point:
    values = rows.set_index("prompt_id")["value"].reindex(list(prompts)).to_numpy(dtype=float)
    efforts = tuple(float(rows[name].mean(skipna=False)) for name, _ in _EFFORTS)
    return _Point(efforts, Mark.of(method, values, mean))


def _line(axis: Axes, course: _Course, effort: int, look: Look) -> None:
    x = [point.efforts[effort] for point in course.points]
    y = [np.nan if (value := point.mark.estimate.value) is None else value for point in course.points]
    bounds = [point.mark.bounds or (np.nan, np.nan) for point in course.points]
    name = _EFFORTS[effort][0]
    if np.isfinite(bounds).any():
        axis.fill_between(x, *np.transpose(bounds), color=look.colour, alpha=0.13, linewidth=0)
    else:
        for _, own in course.table.groupby("prompt_id", sort=False):
            axis.plot(own[name], own["value"], color=look.colour, alpha=0.3, linewidth=0.6, label="_prompt")
    axis.plot(
        x, y, look.marker, color=look.colour, linestyle=look.dashes, linewidth=1.3, markersize=3,
        label=f"_{course.points[0].mark.method}",
    )  # fmt: skip
    if course.end and (final := course.end.mark.estimate.value) is not None:
        at = course.end.efforts[effort]
        axis.plot((x[-1], at), (y[-1], final), ":", color=look.colour, linewidth=0.8, label="_to_end")
        axis.plot(at, final, look.marker, color=look.colour, markersize=6.5, zorder=3, label="_end")

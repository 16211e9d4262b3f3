"""Each method against its baseline, prompt by prompt: a forest plot per metric."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from matplotlib.figure import Figure

from reports.baselines import Baselines
from reports.figures.drawing.layout import broken, title_panel
from reports.figures.drawing.looks import looks
from reports.figures.drawing.marks import Mark, draw_prompts, draw_rows
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.quantities import quantities
from reports.figures.drawing.rows import row_panels
from reports.figures.drawing.style import Draw, Theme
from reports.frames import ReportFrames
from reports.statistics import paired_differences

#: Differences that are round-off, which an axis would magnify to its whole length.
_ROUNDING: Final = 1e-9


def differences(
    frames: ReportFrames, *, baseline: str, metrics: Sequence[str], own_baselines: Mapping[str, str] | None = None
) -> Draw:
    """Draw the mean of method − its baseline over prompts with its interval, and the prompts as faint points.

    Cells are paired by prompt and seed, and only pairs whose cells both completed count.  A mark is hollow if pairs
    are missing.  A metric with a target is replaced by the distance to it.

    Raises:
        NothingToDraw: If there is no other method, or no pair has a score.
        ReportError: If a metric is unknown or a baseline is not a method.
    """
    baselines = Baselines(baseline, own_baselines or {})
    others = baselines.others(frames.methods)
    found = []
    for shown in quantities(frames, metrics, compared=True):
        scores = shown.scores
        theirs = {method: scores.method(baselines.of(method)) for method in others}
        marks = [Mark.of(method, paired_differences(scores.method(method), theirs[method])) for method in others]
        if any(mark.estimate.value is not None for mark in marks):
            found.append((shown, marks))
    if not found:
        both = "a method and its baseline" if own_baselines else f"{baseline} and another method"
        raise NothingToDraw(f"no prompt has a score of both {both}")

    words = broken(f"method − {baselines.name}")

    def draw(theme: Theme) -> Figure:
        figure, axes = row_panels(others, len(found), under=len(words.splitlines()))
        look = looks(frames.methods, theme)
        for axis, (shown, marks) in zip(axes, found, strict=True):
            axis.axvline(0, color=theme.ink, linewidth=0.8, alpha=0.7, label="_baseline")
            for row, mark in enumerate(marks):
                if mark.bounds:
                    draw_prompts(axis, mark, row, look[mark.method])
            draw_rows(axis, marks, range(len(marks)), look, theme)
            title_panel(axis, f"Δ {shown.label}")
            axis.set_xlabel(words)
            if max(map(abs, axis.dataLim.intervalx)) < _ROUNDING:
                axis.set_xlim(-1, 1)
        return figure

    return draw

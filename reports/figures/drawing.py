"""What a study asks to be drawn, and who draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from matplotlib.figure import Figure

from reports.figures.arms import arms
from reports.figures.error_by_timestep import error_by_timestep
from reports.figures.nothing_to_draw import NothingToDraw, note
from reports.figures.pareto import pareto
from reports.figures.profiles import profiles
from reports.figures.style import Theme
from reports.figures.sweep import sweep
from reports.figures.time_to_quality import time_to_quality
from reports.frames import ReportError, ReportFrames

Kind = Literal["sweep", "arms", "error_by_timestep", "pareto", "profiles", "time_to_quality"]


@dataclass(frozen=True)
class Drawing:
    """A figure of a study."""

    name: str  # of its files
    kind: Kind
    title: str  # heading on the page
    caption: str = ""  # what to look for
    metrics: tuple[str, ...] = ()  # columns of scores or of costs, a panel each
    x: str = ""  # of a sweep: where the varied number is in a cell's settings, such as render.resolution
    x_label: str = ""  # of a sweep
    logarithmic: bool = False  # of a sweep: whether the axis of x is


_KINDS: Final[dict[Kind, Callable[[ReportFrames, Drawing, Theme], Figure]]] = {
    "sweep": lambda frames, drawing, theme: sweep(
        frames,
        theme,
        metrics=drawing.metrics,
        path=drawing.x,
        label=drawing.x_label or drawing.x,
        logarithmic=drawing.logarithmic,
    ),
    "arms": lambda frames, drawing, theme: arms(frames, theme, metrics=drawing.metrics),
    "error_by_timestep": lambda frames, _, theme: error_by_timestep(frames, theme),
    "pareto": lambda frames, drawing, theme: pareto(frames, metrics=drawing.metrics)(theme),
    "profiles": lambda frames, drawing, theme: profiles(frames, metrics=drawing.metrics)(theme),
    "time_to_quality": lambda frames, drawing, theme: time_to_quality(frames, metrics=drawing.metrics)(theme),
}


def draw(frames: ReportFrames, drawing: Drawing, theme: Theme) -> Figure:
    """The figure that ``drawing`` asks for; a line that says why there is none, where the cells left no data for it.

    Raises:
        ReportError: If it asks for something that the study does not have.
    """
    try:
        return _KINDS[drawing.kind](frames, drawing, theme)
    except NothingToDraw as nothing:
        return note(f"Nothing to draw: {nothing}.", theme)
    except ReportError as error:
        raise ReportError(f"figure {drawing.name!r}: {error}") from error

"""What a study asks to be drawn, and who draws it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from matplotlib.figure import Figure

from reports.figures.arms import arms
from reports.figures.error_by_timestep import error_by_timestep
from reports.figures.style import Theme
from reports.figures.sweep import sweep
from reports.frames import ReportError, ReportFrames

Kind = Literal["sweep", "arms", "error_by_timestep"]


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
}


def draw(frames: ReportFrames, drawing: Drawing, theme: Theme) -> Figure:
    """The figure that ``drawing`` asks for.

    Raises:
        ReportError: If there is nothing to draw it from.
    """
    try:
        return _KINDS[drawing.kind](frames, drawing, theme)
    except ReportError as error:
        raise ReportError(f"figure {drawing.name!r}: {error}") from error

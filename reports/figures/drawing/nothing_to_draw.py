"""A figure that has no data."""

from __future__ import annotations

from matplotlib.figure import Figure

from reports.figures.drawing.style import Theme
from reports.frames import ReportError


class NothingToDraw(ReportError):  # noqa: N818 - a result, not an error
    """The study has no data for the figure, which is then left out or says why."""


def draw_note(sentence: str, theme: Theme) -> Figure:
    """Draw a sentence in place of a figure that has no data."""
    figure = Figure(figsize=(6.0, 0.5))
    figure.text(0.02, 0.5, sentence, color=theme.ink, va="center")
    return figure

"""A figure that has no data."""

from __future__ import annotations

from matplotlib.figure import Figure

from reports.figures.style import Theme
from reports.frames import ReportError


class NothingToDraw(ReportError):  # noqa: N818 - an answer, not a fault
    """The study has no data for the figure, which is left out or says why; nobody named anything wrongly."""


def note(sentence: str, theme: Theme) -> Figure:
    """In place of a figure that a study asks for: why there is none."""
    figure = Figure(figsize=(6.0, 0.5))
    figure.text(0.02, 0.5, sentence, color=theme.ink, va="center")
    return figure

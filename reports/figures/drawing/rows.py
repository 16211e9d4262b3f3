"""Panels whose rows are methods, named once at the left of each row of panels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from reports.figures.drawing.layout import LINE, broken, panels, text_width

ACROSS: Final = 4  # panels in a row


def row_panels(methods: Sequence[str], count: int, *, under: int = 0, foot: float = 0.0) -> tuple[Figure, list[Axes]]:
    """Make ``count`` panels with a row for each of ``methods``, the first at the top.

    Args:
        methods: Labels, which are broken if they are long.
        count: Number of panels.
        under: Lines of text below each panel.
        foot: Inches below all panels.
    """
    words = [broken(method) for method in methods]
    lines = max((len(text.splitlines()) for text in words), default=1)
    left = 0.2 + max((text_width(text) for text in words), default=0.0)
    height = 0.15 + max(LINE * lines + 0.05, 0.24) * len(methods)
    figure, axes = panels(
        count,
        across=ACROSS,
        width=1.75 if count > 1 else 3.0,
        height=height,
        left=left,
        gap=0.2,
        bottom=0.28 + LINE * under,
        foot=foot,
    )
    for index, axis in enumerate(axes):
        axis.set_yticks(range(len(words)), words)
        axis.set_ylim(len(words) - 0.5, -0.5)
        axis.tick_params(axis="y", length=0, labelleft=index % ACROSS == 0)
        axis.grid(visible=False, axis="y")
        axis.locator_params(axis="x", nbins=4)
    return figure, axes

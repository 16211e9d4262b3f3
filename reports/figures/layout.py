"""Where things stand in a figure, in inches: panels in rows, room for labels before them and for a legend below.

Margins are measured from the texts and set outright.  Matplotlib's layout engines solve for them, with round-off that
depends on the process, and give up with a warning where a label is very long.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from functools import cache
from typing import Final, TypeVar

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.textpath import text_to_path

from reports.figures.style import FONT, FONT_SIZE

LINE: Final = 0.155  # inches from a line of text to the next
_LABEL: Final = 24  # characters of a label before it is broken
_HANDLE: Final = 0.42  # inches of a legend's entry beside its text
T = TypeVar("T", int, float)


def panels(
    count: int,
    *,
    across: int | None = None,
    width: float = 2.1,
    height: float = 1.6,
    left: float = 0.5,
    right: float = 0.12,
    top: float = 0.3,
    bottom: float = 0.45,
    gap: float = 0.4,
    foot: float = 0.0,
) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels, ``across`` of them (all, where None) in a row.

    Args:
        count: Number of panels.
        across: Panels in a row.
        width: Of a panel's axes, inches, as all that follow.
        height: Of a panel's axes.
        left: For what stands before the first panel of a row.
        right: For what stands behind the last.
        top: Above the axes of each row, for the title.
        bottom: Below the axes of each row, for the ticks and the label.
        gap: Between the axes of a row.
        foot: Below all rows, for a legend.
    """
    across = min(across or count, count)
    rows = -(-count // across)
    whole_width = left + across * width + (across - 1) * gap + right
    whole_height = rows * (top + height + bottom) + foot
    figure = Figure(figsize=(whole_width, whole_height))
    axes = []
    for index in range(count):
        row, column = divmod(index, across)
        x = left + column * (width + gap)
        y = foot + (rows - 1 - row) * (top + height + bottom) + bottom
        axes.append(figure.add_axes((x / whole_width, y / whole_height, width / whole_width, height / whole_height)))
    return figure, axes


@cache
def text_width(text: str, size: float = FONT_SIZE) -> float:
    """Inches that the widest line of ``text`` takes."""
    font = FontProperties(family=FONT, size=size)
    widths = (text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] for line in text.splitlines())
    return float(max(widths, default=0.0)) / 72


def broken(label: str, width: int = _LABEL) -> str:
    """A label in lines of at most ``width`` characters; what needs more than three keeps its beginning and its end."""
    return "\n".join(line for own in label.splitlines() for line in _wrapped(own, width))


def _wrapped(line: str, width: int) -> list[str]:
    lines = textwrap.wrap(line, width, break_on_hyphens=True)
    return lines if len(lines) <= 3 else [*lines[:2], f"…{line[1 - width :]}"]


def legend_height(labels: Sequence[str], width: float) -> float:
    """Inches that a legend of ``labels`` takes at the foot of a figure ``width`` inches wide."""
    if not labels:
        return 0.0
    lines = [len(label.splitlines()) for label in labels]
    return LINE * (max(map(sum, _split(lines, _columns(labels, width)))) + 1)


def legend_below(figure: Figure, labels: Sequence[str], handles: Sequence[Artist]) -> None:
    """A legend of all panels at the figure's foot, which must have room for its ``legend_height``."""
    if not labels:
        return
    figure.legend(
        handles,
        labels,
        loc="lower left",
        ncols=_columns(labels, figure.get_figwidth()),
        borderaxespad=0.3,
        handlelength=2.0,
        columnspacing=1.0,
        labelspacing=0.25,
    )


def _columns(labels: Sequence[str], width: float) -> int:
    """Columns of a legend that fit into ``width`` inches, and no more than its rows need."""
    widths = [_HANDLE + 0.14 + text_width(label) for label in labels]
    for columns in range(len(widths), 1, -1):
        if sum(map(max, _split(widths, columns))) <= width - 0.15:
            rows = -(-len(labels) // columns)
            return -(-len(labels) // rows)
    return 1


def _split(values: Sequence[T], columns: int) -> list[list[T]]:
    """Columns filled downwards, the first ones longer by one, as matplotlib fills them."""
    return [list(part) for part in np.array_split(np.asarray(values), columns)]

"""Layout of a figure in inches: panels in rows, with room for labels at their left and for a legend below.

Margins are measured from the texts and set directly.  Matplotlib's layout engines solve for them, with round-off that
depends on the process, and fail with a warning for a very long label.
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

from reports.figures.drawing.style import FONT, FONT_SIZE, TITLE_SIZE

LINE: Final = 0.155  # inches from a line of text to the next
_LABEL: Final = 24  # characters of a label's line
_HANDLE: Final = 0.42  # width of a legend's entry without its text, inches
_TITLE_OVERHANG: Final = 0.3  # inches that a title may be wider than its axes, less than the gap to the next ones
_TITLE_MARGIN: Final = 0.04  # inches between a title and the right edge of the figure
_SMALLEST_TITLE: Final = 6.0  # points
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
    """Make a figure of ``count`` panels, ``across`` of them (all, if None) in a row.

    Args:
        count: Number of panels.
        across: Panels in a row.
        width: Width of a panel's axes, inches, as everything below.
        height: Height of a panel's axes.
        left: Space at the left of the first panel of a row.
        right: Space at the right of the last panel.
        top: Space above the axes of each row, for the title.
        bottom: Space below the axes of each row, for ticks and label.
        gap: Space between the axes of a row.
        foot: Space below all rows, for a legend.
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


def metrics_across(count: int) -> int:
    """Return how many of ``count`` metrics with several panels each share a row: two, if there are more than two."""
    return 2 if count > 2 else 1


@cache
def text_width(text: str, size: float = FONT_SIZE, weight: str = "normal") -> float:
    """Measure the widest line of ``text``, in inches."""
    font = FontProperties(family=FONT, size=size, weight=weight)
    widths = (text_to_path.get_text_width_height_descent(line, font, ismath=False)[0] for line in text.splitlines())
    return float(max(widths, default=0.0)) / 72


def broken(label: str, width: int = _LABEL) -> str:
    """Break a label into lines of at most ``width`` characters, at most three, of which the last one is its end."""
    return "\n".join(line for own in label.splitlines() for line in _wrapped(own, width))


def _wrapped(line: str, width: int) -> list[str]:
    lines = textwrap.wrap(line, width, break_on_hyphens=True)
    return lines if len(lines) <= 3 else [*lines[:2], f"…{line[1 - width :]}"]


def title_panel(axis: Axes, title: str) -> None:
    """Write a title within its panel and the figure: smaller if it is long, with its middle left out if longer.

    Args:
        axis: Axes of the panel.
        title: Title, one line or several.
    """
    inches = axis.figure.dpi_scale_trans.inverted()
    box, whole = (each.transformed(inches) for each in (axis.get_window_extent(), axis.figure.bbox))
    room = min(box.width + _TITLE_OVERHANG, whole.x1 - _TITLE_MARGIN - box.x0)
    size = max(_SMALLEST_TITLE, TITLE_SIZE * min(1.0, room / max(text_width(title, TITLE_SIZE, "bold"), room)))
    axis.set_title("\n".join(_shortened(line, room, size) for line in title.splitlines()), fontsize=size)


def _shortened(line: str, room: float, size: float) -> str:
    shown, kept = line, len(line) // 2
    while kept > 1 and text_width(shown, size, "bold") > room:
        kept -= 1
        shown = f"{line[:kept]}…{line[-kept:]}"
    return shown


def legend_height(labels: Sequence[str], width: float) -> float:
    """Return the height of a legend of ``labels`` at the foot of a figure of ``width`` inches, in inches."""
    if not labels:
        return 0.0
    lines = [len(label.splitlines()) for label in labels]
    return LINE * (max(map(sum, _split(lines, _columns(labels, width)))) + 1)


def legend_below(figure: Figure, labels: Sequence[str], handles: Sequence[Artist]) -> None:
    """Draw a legend of all panels at the figure's foot, which must have room for its ``legend_height``."""
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
    """Return the number of columns of a legend that fit into ``width`` inches and that its rows need."""
    widths = [_HANDLE + 0.14 + text_width(label) for label in labels]
    for columns in range(len(widths), 1, -1):
        if sum(map(max, _split(widths, columns))) <= width - 0.15:
            rows = -(-len(labels) // columns)
            return -(-len(labels) // rows)
    return 1


def _split(values: Sequence[T], columns: int) -> list[list[T]]:
    """Fill columns downwards, the first ones longer by one, as matplotlib does."""
    return [list(part) for part in np.array_split(np.asarray(values), columns)]

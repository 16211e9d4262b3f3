"""Labels next to their marks without overlap: each takes the first free place around its mark."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from matplotlib.axes import Axes

from reports.figures.drawing.layout import LINE, broken, text_width
from reports.figures.drawing.style import Theme

_SIZE: Final = 7  # points
_MARK: Final = 4.5  # half a mark's side, points
_RINGS: Final = (7.0, 14.0, 24.0, 36.0, 50.0, 66.0)  # points from the mark to the label, nearest first
_PAD: Final = 0.7  # points around a label
_FAR: Final = 3.0  # square points of a crossed bar that weigh as much as one point of distance to the mark
_DIRECTIONS: Final = (0, 180, 90, 270, 45, 135, 315, 225, 20, 160, 340, 200)  # degrees, the preferred first

#: Left, bottom, right and top of a line, in data units.
Bar = tuple[float, float, float, float]


class Box(NamedTuple):
    """A rectangle in points."""

    left: float
    bottom: float
    right: float
    top: float

    def overlap(self, other: Box) -> float:
        """Return the area of the intersection."""
        width = min(self.right, other.right) - max(self.left, other.left)
        height = min(self.top, other.top) - max(self.bottom, other.bottom)
        return max(width, 0.0) * max(height, 0.0)


@dataclass(frozen=True)
class Labelled:
    """A mark with its label, in data units."""

    x: float
    y: float
    text: str
    colour: str


def place_labels(axis: Axes, marks: Sequence[Labelled], bars: Sequence[Bar], theme: Theme) -> list[Box]:
    """Write each mark's label where it covers no other label, no mark and as little of the ``bars`` as possible.

    Call it when the limits of the axes are final.

    Args:
        axis: Axes of the marks.
        marks: Marks, in the order in which they choose their places.
        bars: Lines that labels should avoid.
        theme: Colours.

    Returns:
        The boxes of the labels, in points.
    """
    scale = 72 / axis.figure.dpi
    inside = Box(*(scale * edge for edge in axis.bbox.extents))
    spots = [tuple(scale * axis.transData.transform((mark.x, mark.y))) for mark in marks]
    hard = [Box(x - _MARK, y - _MARK, x + _MARK, y + _MARK) for x, y in spots]
    soft = []
    for left, bottom, right, top in bars:
        (x0, y0), (x1, y1) = scale * axis.transData.transform(((left, bottom), (right, top)))
        soft.append(Box(x0 - 1, y0 - 1, x1 + 1, y1 + 1))
    taken: list[Box] = []
    for mark, spot in zip(marks, spots, strict=True):
        text = broken(mark.text, 18)
        width, height = 72 * text_width(text, _SIZE), 72 * LINE * 0.9 * len(text.splitlines())
        ring, box = min(_places(spot, width, height), key=lambda place: _penalty(place, inside, [*hard, *taken], soft))
        taken.append(box)
        middle = ((box.left + box.right) / 2 - spot[0], (box.bottom + box.top) / 2 - spot[1])
        axis.annotate(
            text,
            (mark.x, mark.y),
            middle,
            textcoords="offset points",
            ha="center",
            va="center",
            fontsize=_SIZE,
            color=theme.ink,
            linespacing=1.0,
            arrowprops={"arrowstyle": "-", "color": mark.colour, "linewidth": 0.5, "shrinkB": 3}
            if ring > _RINGS[0]
            else None,
            annotation_clip=False,
            zorder=4,
        )
    return taken


def _places(spot: tuple[float, ...], width: float, height: float) -> list[tuple[float, Box]]:
    """List boxes around ``spot`` with their distances, in points, the nearest first."""
    x, y = spot
    places = []
    for ring in _RINGS:
        for degrees in _DIRECTIONS:
            across, up = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
            left = x + across * ring + (round(across, 1) - 1) * width / 2
            bottom = y + up * ring + (round(up, 1) - 1) * height / 2
            places.append((ring, Box(left - _PAD, bottom - _PAD, left + width + _PAD, bottom + height + _PAD)))
    return places


def _penalty(place: tuple[float, Box], inside: Box, hard: Sequence[Box], soft: Sequence[Box]) -> tuple[float, float]:
    """Rate a place: first what must not be covered, then what should not, with the distance of the label."""
    ring, box = place
    outside = (box.right - box.left) * (box.top - box.bottom) - box.overlap(inside)
    crossed = sum(map(box.overlap, soft)) + _FAR * ring
    return round(outside + sum(map(box.overlap, hard)), 3), round(crossed, 3)

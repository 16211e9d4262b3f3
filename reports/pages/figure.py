"""Figures as the pages know them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Protocol

from reports.figures.style import DARK, LIGHT, Draw, pdf, svg
from reports.pages.album import Put


class Drawable(Protocol):
    """A figure of a report, still to be drawn."""

    @property
    def name(self) -> str:
        """Of its files, without a suffix."""

    @property
    def title(self) -> str:
        """Heading on the page."""

    @property
    def caption(self) -> str:
        """What to look for; may be empty."""

    @property
    def draw(self) -> Draw:
        """Draws it in a theme."""


@dataclass(frozen=True)
class Plate:
    """A figure as files of the report; paths are relative to its folder, sizes in points."""

    title: str
    caption: str
    light: str
    dark: str
    width: int
    height: int
    files: tuple[tuple[str, str], ...]  # name of the format, path


def write_plate(figure: Drawable, put: Put) -> Plate:
    """Draw a figure for light and for dark and for paper, and write its files under ``figures``."""
    light, dark = f"figures/{figure.name}.svg", f"figures/{figure.name}-dark.svg"
    drawn = svg(figure.draw, LIGHT)
    put(light, drawn)
    put(dark, svg(figure.draw, DARK))
    paper = f"figures/{figure.name}.pdf"
    put(paper, pdf(figure.draw))
    width, height = _size(drawn)
    return Plate(figure.title, figure.caption, light, dark, width, height, (("SVG", light), ("PDF", paper)))


def _size(drawn: bytes) -> tuple[int, int]:
    """Width and height from the view box, so that a page can keep the place free."""
    found = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn[:2000])
    return (round(float(found[1])), round(float(found[2]))) if found else (640, 360)

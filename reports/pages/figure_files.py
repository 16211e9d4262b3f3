"""The files of a figure, as the pages show it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from reports.figures.drawing.style import Draw, darkened, svg_and_pdf
from reports.figures.spec import FigureSpec
from reports.pages.images import Put

#: CSS pixels of a point.
_PIXELS: Final = 4 / 3
#: CSS pixels of the widest page.
_PAGE_WIDTH: Final = 1048


@dataclass(frozen=True)
class FigureFiles:
    """A figure as files of the report; paths are relative to its folder, sizes in CSS pixels."""

    title: str
    caption: str
    light: str
    dark: str
    width: int
    height: int
    files: tuple[tuple[str, str], ...]  # name of the format, path

    @property
    def is_wide(self) -> bool:
        """Whether it is wider than a page, so that on a narrow screen less of its width can be saved."""
        return self.width > _PAGE_WIDTH


def write_figure(spec: FigureSpec, draw: Draw, put: Put) -> FigureFiles:
    """Draw a figure for light pages, dark pages and paper, and write its files to ``figures``."""
    light, dark, paper = (f"figures/{spec.name}{end}" for end in (".svg", "-dark.svg", ".pdf"))
    drawn, printed = svg_and_pdf(draw)
    put(light, drawn)
    put(dark, darkened(drawn))
    put(paper, printed)
    width, height = _size(drawn)
    return FigureFiles(spec.title, spec.caption, light, dark, width, height, (("SVG", light), ("PDF", paper)))


def _size(drawn: bytes) -> tuple[int, int]:
    """Read width and height from the view box, which is in points, so that a page can reserve the space."""
    found = re.search(rb'viewBox="0 0 ([\d.]+) ([\d.]+)"', drawn[:2000])
    return (round(_PIXELS * float(found[1])), round(_PIXELS * float(found[2]))) if found else (640, 360)

"""Themes of all figures, and their output as SVG and PDF."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a figure on a light or a dark page."""

    ink: str
    faint: str
    line: str  # data
    warning: str  # data of diverged cells
    paper: str  # background
    series: tuple[str, ...]  # data of several methods in one panel, distinct for the colour-blind


#: A function that draws a figure in the colours of a theme, from data that it already has.
Draw = Callable[[Theme], Figure]
FONT: Final = "DejaVu Sans"  # ships with matplotlib, so that widths do not depend on the machine
FONT_SIZE: Final = 8  # points
TITLE_SIZE: Final = 9  # points, of a panel's title

LIGHT: Final = Theme(
    ink="#3a3733",
    faint="#d9d4ca",
    line="#3f6291",
    warning="#b4532a",
    paper="#ffffff",
    series=("#3f6291", "#c0562f", "#4d8a5c", "#9a5ba0", "#b58a1b", "#4aa3a8", "#7a6a5a", "#c2588c"),
)
DARK: Final = Theme(
    ink="#cfcac0",
    faint="#45413b",
    line="#8fb3e0",
    warning="#e59a6f",
    paper="#1d1b19",
    series=("#8fb3e0", "#e59a6f", "#8ec79b", "#cf9bd4", "#e0bd5c", "#83cfd3", "#b8a893", "#ea93bb"),
)


def svg_and_pdf(draw: Draw) -> tuple[bytes, bytes]:
    """Draw once in light colours for both formats, without date or random ids: the same data give the same bytes.

    The PDF is for papers, with text as text (TrueType) and a white background.
    """
    as_svg, as_pdf = _save(draw, LIGHT, "svg", "pdf")
    return as_svg, as_pdf


def darkened(svg: bytes) -> bytes:
    """A figure for a dark page from the one for a light page: drawing takes most of a report's time.

    Each colour of the light theme becomes that of the dark one; any other colour stays.
    """
    return _COLOUR.sub(lambda found: _IN_THE_DARK.get(found[0], found[0]), svg)


@contextmanager
def styled(theme: Theme) -> Iterator[None]:
    """Set matplotlib's style; figures must be drawn and saved inside."""
    settings: dict[Any, Any] = {
        "svg.hashsalt": "reports",
        "svg.fonttype": "path",
        "pdf.fonttype": 42,  # journals refuse type 3
        "font.family": FONT,
        "font.size": FONT_SIZE,
        "text.parse_math": False,  # labels are data
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.facecolor": theme.paper,
        "axes.edgecolor": theme.faint,
        "axes.grid": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": TITLE_SIZE,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "grid.color": theme.faint,
        "grid.linewidth": 0.5,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "lines.linewidth": 0.8,
        "legend.frameon": False,
        "hatch.linewidth": 0.6,
    }
    with mpl.rc_context(settings):
        yield


def _colours(theme: Theme) -> list[bytes]:
    single = (theme.ink, theme.faint, theme.line, theme.warning, theme.paper)
    return [colour.encode() for colour in (*single, *theme.series)]


_COLOUR: Final = re.compile(rb"#[0-9a-f]{6}\b")
_IN_THE_DARK: Final = dict(zip(_colours(LIGHT), _colours(DARK), strict=True))

#: What matplotlib takes for each format, so that a file has no date; an SVG has the page behind it.
_OPTIONS: Final[dict[str, dict[str, Any]]] = {
    "svg": {"metadata": {"Date": None, "Creator": None}, "transparent": True},
    "pdf": {"metadata": dict.fromkeys(("CreationDate", "Creator", "Producer"))},
}


def _save(draw: Draw, theme: Theme, *kinds: str) -> list[bytes]:
    files = {kind: io.BytesIO() for kind in kinds}
    with styled(theme):
        figure = draw(theme)
        for kind, file in files.items():
            figure.savefig(file, format=kind, facecolor=theme.paper, **_OPTIONS[kind])
    return [file.getvalue() for file in files.values()]

"""The one look of all figures, and the only place that knows how they become bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a figure on a light or a dark page."""

    ink: str
    faint: str
    line: str  # the data
    warning: str  # data of diverged cells
    paper: str  # the page behind
    series: tuple[str, ...]  # data of several methods in one panel, apart for the colour-blind too


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


def panels(count: int, *, width: float = 2.5, height: float = 2.3, left: float = 0.55) -> tuple[Figure, list[Axes]]:
    """A figure of ``count`` panels side by side; sizes in inches, ``left`` for what stands before the first."""
    across = width * count + left
    figure = Figure(figsize=(across, height))
    margins = {"left": left / across, "right": 1 - 0.12 / across, "bottom": 0.45 / height, "top": 1 - 0.3 / height}
    axes = figure.subplots(1, count, squeeze=False, gridspec_kw={**margins, "wspace": 0.28})
    return figure, list(axes[0])


#: Draws a figure in the colours of a theme, from data that it already has.
Draw = Callable[[Theme], Figure]


def svg(draw: Draw, theme: Theme) -> bytes:
    """What ``draw`` draws in ``theme``, as SVG without date or random ids: the same data give the same bytes."""
    settings: dict[Any, Any] = {
        "svg.hashsalt": "reports",
        "svg.fonttype": "path",
        "font.family": "DejaVu Sans",  # ships with matplotlib, so that widths do not depend on the machine
        "font.size": 8,
        "text.parse_math": False,  # labels are data
        "text.color": theme.ink,
        "axes.labelcolor": theme.ink,
        "axes.edgecolor": theme.faint,
        "axes.grid": True,
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.titlesize": 9,
        "axes.titleweight": "bold",
        "axes.titlelocation": "left",
        "grid.color": theme.faint,
        "grid.linewidth": 0.5,
        "xtick.color": theme.ink,
        "ytick.color": theme.ink,
        "lines.linewidth": 0.8,
    }
    with mpl.rc_context(settings):
        out = io.BytesIO()
        draw(theme).savefig(out, format="svg", metadata={"Date": None, "Creator": None}, transparent=True)
    return out.getvalue()

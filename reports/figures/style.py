"""The one look of all figures, and the only place that knows how they become bytes."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure


@dataclass(frozen=True)
class Theme:
    """Colours of a figure on a light or a dark page."""

    ink: str
    faint: str
    line: str  # the data
    warning: str  # data of diverged cells


LIGHT: Final = Theme(ink="#3a3733", faint="#d9d4ca", line="#3f6291", warning="#b4532a")
DARK: Final = Theme(ink="#cfcac0", faint="#45413b", line="#8fb3e0", warning="#e59a6f")


def svg(draw: Callable[[Theme], Figure], theme: Theme) -> bytes:
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

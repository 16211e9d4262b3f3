"""Logarithmic axes with plain numbers, because labels are not parsed as mathematics."""

from __future__ import annotations

from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter


def make_logarithmic(axes: Axes, which: Literal["x", "y"]) -> None:
    """Make an axis of ``axes`` logarithmic, after its data are drawn; ticks at 1, 2 and 5 below two decades."""
    axes.set(**{f"{which}scale": "log"})
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axis.get_view_interval()
    axis.set_major_locator(LogLocator(subs=(1, 2, 5) if high < 100 * low else (1,)))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}".replace("-", "−")))
    axis.set_minor_formatter(NullFormatter())

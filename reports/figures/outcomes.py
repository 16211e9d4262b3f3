"""Figure of the statuses of each method's cells: completed, diverged or failed."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Final

import pandas as pd
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import MaxNLocator

from reports.figures.drawing.layout import LINE, broken, legend_below, legend_height, panels, text_width, title_panel
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import Draw, Theme
from reports.frames import DIVERGED, FAILED, STATUSES, ReportFrames

#: Fill and hatch of each status, distinct for the colour-blind (most are Okabe and Ito's).
FILLS: Final = {
    "completed": ("#e8e4da", ""),
    "nan": ("#d55e00", "///"),
    "empty": ("#56b4e9", "..."),
    "opaque": ("#004d73", "\\\\\\"),
    "frozen": ("#f0e442", "xxx"),
    "oom": ("#a8689f", "ooo"),
    "timeout": ("#b4b4b4", "+++"),
    "crashed": ("#4d4d4d", "---"),
}
_WIDTH: Final = 4.2  # length of the longest bar, inches
_COUNT: Final = 7  # size of the counts, points


def outcomes(frames: ReportFrames) -> Draw:
    """Draw stacked bars of counts, a row per method; failed cells have a panel of their own.

    A count that does not fit into its part of the bar is written behind the bar.

    Raises:
        NothingToDraw: If every cell completed.
    """
    counts = _counts(frames)
    if (counts["completed"] == counts.sum(axis="columns")).all():
        raise NothingToDraw("every cell completed")
    return partial(_figure, counts)


def _figure(counts: pd.DataFrame, theme: Theme) -> Figure:
    words = [broken(method) for method in counts.index]
    lines = max(len(text.splitlines()) for text in words)
    groups = [kinds for kinds in (("completed", *DIVERGED), FAILED) if counts[list(kinds)].to_numpy().any()]
    longest = [int(counts[list(kinds)].sum(axis="columns").max()) for kinds in groups]
    scale = _WIDTH / sum(longest)
    behind = [_room(counts, kinds, scale) for kinds in groups]
    present = [status for status in STATUSES if counts[status].any()]
    left = 0.2 + max(map(text_width, words))
    height = 0.15 + max(LINE * lines + 0.05, 0.26) * len(words)
    widths = [scale * cells + room for cells, room in zip(longest, behind, strict=True)]
    foot = legend_height(present, left + sum(widths))
    figure, axes = _side_by_side(widths, height, left=left, foot=foot)
    for axis, kinds, cells, width in zip(axes, groups, longest, widths, strict=True):
        _bars(axis, counts[list(kinds)], scale, theme)
        axis.set_xlim(0, width / scale)
        title_panel(axis, "ended" if kinds[0] == "completed" else "failed")
        axis.set_xlabel("cells")
        ticks = MaxNLocator(max(1, min(5, int(scale * cells / 0.4))), integer=True).tick_values(0, cells)
        axis.set_xticks([tick for tick in ticks if tick <= cells])
        axis.set_yticks(range(len(words)), words if axis is axes[0] else [""] * len(words))
        axis.set_ylim(len(words) - 0.5, -0.5)
        axis.tick_params(axis="y", length=0)
        axis.grid(visible=False)
    legend_below(figure, present, [_patch(status, theme) for status in present])
    return figure


def _counts(frames: ReportFrames) -> pd.DataFrame:
    """Count cells, methods × statuses."""
    table = pd.crosstab(frames.cells["method"], frames.cells["status"])
    return table.reindex(index=frames.methods, columns=list(STATUSES), fill_value=0)


def _side_by_side(widths: Sequence[float], height: float, *, left: float, foot: float) -> tuple[Figure, list[Axes]]:
    """Make at most two panels, each as wide as its longest bar, so that a cell has the same length in both."""
    figure, axes = panels(len(widths), width=sum(widths) / len(widths), height=height, left=left, foot=foot)
    across = figure.get_figwidth()
    start = left
    for axis, width in zip(axes, widths, strict=True):
        _, bottom, _, tall = axis.get_position().bounds
        axis.set_position((start / across, bottom, width / across, tall))
        start += width + 0.4
    return figure, axes


def _bars(axis: Axes, counts: pd.DataFrame, scale: float, theme: Theme) -> None:
    for row, (_, own) in enumerate(counts.iterrows()):
        start = 0
        for status, count in own.items():
            if not count:
                continue
            fill, hatch = FILLS[str(status)]
            axis.barh(
                row, count, 0.68, start, color=fill, hatch=hatch, edgecolor=theme.ink, linewidth=0.5,
                label=f"_{status}",
            )  # fmt: skip
            if _fits(int(count), scale):
                _write(axis, start + count / 2, row, str(count), fill)
            start += int(count)
        if behind := _counts_behind(own, scale):
            axis.text(start + 0.06 / scale, row, behind, va="center", fontsize=_COUNT, color=theme.ink)


def _write(axis: Axes, x: float, y: float, words: str, fill: str) -> None:
    """Write a count on its part of the bar, with a ground of the bar's colour between it and the hatch."""
    red, green, blue = to_rgb(fill)
    ink = "#1f1d1a" if 0.299 * red + 0.587 * green + 0.114 * blue > 0.45 else "#fdfcfa"
    ground = {"facecolor": fill, "edgecolor": "none", "boxstyle": "square,pad=0.1"}
    axis.text(x, y, words, ha="center", va="center", fontsize=_COUNT, color=ink, bbox=ground)


def _fits(count: int, scale: float) -> bool:
    return scale * count > text_width(str(count), _COUNT) + 0.06


def _counts_behind(own: pd.Series, scale: float) -> str:
    return ", ".join(f"{count} {status}" for status, count in own.items() if count and not _fits(int(count), scale))


def _room(counts: pd.DataFrame, kinds: Sequence[str], scale: float) -> float:
    """Return the inches behind the bars that the counts need which do not fit into them."""
    texts = [_counts_behind(own, scale) for _, own in counts[list(kinds)].iterrows()]
    return 0.1 + max(text_width(words, _COUNT) for words in texts)


def _patch(status: str, theme: Theme) -> Artist:
    fill, hatch = FILLS[status]
    return Patch(facecolor=fill, hatch=hatch, edgecolor=theme.ink, linewidth=0.5)

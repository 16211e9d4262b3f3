"""The arms of a study one below the other: a panel per score, a mark per prompt and their mean."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from reports.figures.drawing.layout import title_panel
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.quantities import quantities
from reports.figures.drawing.rows import row_panels
from reports.figures.drawing.style import Draw, Theme
from reports.frames import DIVERGED, ReportFrames, listed


def arms(frames: ReportFrames, *, metrics: Sequence[str]) -> Draw:
    """Draw the arms from top to bottom; thin lines join a prompt's scores, arms with diverged cells have a remark.

    Raises:
        NothingToDraw: If no cell has a value.
        ReportError: If a metric is unknown.
    """
    labels = frames.methods
    shown = quantities(frames, metrics)
    if all(quantity.table.empty for quantity in shown):
        raise NothingToDraw(f"no completed cell has a value of {listed(metrics)}")

    def draw(theme: Theme) -> Figure:
        figure, axes = row_panels([_label(frames, method) for method in labels], len(shown))
        rows = {label: row for row, label in enumerate(labels)}
        for axis, quantity in zip(axes, shown, strict=True):
            table = quantity.table
            for _, prompt in table.groupby("prompt_id", sort=False):
                line = prompt.assign(row=prompt["method"].map(rows)).sort_values("row")
                axis.plot(
                    line["value"], line["row"], color=theme.line, alpha=0.3, linewidth=0.7, marker=".", markersize=3
                )
            means = quantity.means(table, "method")
            axis.scatter(means, [rows[str(label)] for label in means.index], s=24, color=theme.line, zorder=3)
            title_panel(axis, quantity.label)
        return figure

    return draw


def _label(frames: ReportFrames, method: str) -> str:
    status = frames.cells.loc[frames.cells["method"] == method, "status"]
    diverged = int(status.isin(DIVERGED).sum())
    return f"{method}\n({diverged} of {len(status)} diverged)" if diverged else method

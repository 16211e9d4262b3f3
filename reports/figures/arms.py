"""The arms of a study one below the other: a panel for each score, a mark for each prompt and their mean."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.figure import Figure

from reports.figures.quantities import quantity
from reports.figures.rows import row_panels
from reports.figures.style import Theme
from reports.frames import DIVERGED, ReportFrames


def arms(frames: ReportFrames, theme: Theme, *, metrics: Sequence[str]) -> Figure:
    """From the first arm at the top to the last; thin lines join a prompt's scores, arms with diverged cells say so.

    Raises:
        ReportError: If a metric is unknown.
    """
    labels = frames.methods
    figure, axes = row_panels([_words(frames, label) for label in labels], len(metrics))
    rows = {label: row for row, label in enumerate(labels)}
    for axis, name in zip(axes, metrics, strict=True):
        shown = quantity(frames, name)
        for _, prompt in shown.table.groupby("prompt_id", sort=False):
            line = prompt.assign(row=prompt["method"].map(rows)).sort_values("row")
            axis.plot(line["value"], line["row"], color=theme.line, alpha=0.3, linewidth=0.7, marker=".", markersize=3)
        means = shown.table.groupby("method", sort=False)["value"].mean()
        axis.scatter(means, [rows[str(label)] for label in means.index], s=24, color=theme.line, zorder=3)
        axis.set_title(shown.label)
    return figure


def _words(frames: ReportFrames, label: str) -> str:
    status = frames.cells.loc[frames.cells["method"] == label, "status"]
    diverged = int(status.isin(DIVERGED).sum())
    return f"{label}\n({diverged} of {len(status)} diverged)" if diverged else label

"""What became of the cells, and what they cost: counts by status, network calls and hours."""

from __future__ import annotations

from collections.abc import Sequence

from reports.frames import STATUSES, ReportFrames
from reports.means import entry
from reports.table import Column, Entry, Row, Table


def runs_table(frames: ReportFrames, notes: Sequence[str]) -> Table:
    """Counts of cells by status, network evaluations of the completed ones, and time of all."""
    counts = [Column(status, status, decimals=0) for status in STATUSES]
    columns = (
        Column("cells", "cells", decimals=0),
        *counts,
        Column("unet_calls", "UNet calls", decimals=0),
        Column("unet_rows", "UNet rows", decimals=0),
        Column("total_minutes", "total", "min", decimals=1),
    )
    rows = []
    for method in frames.methods:
        cells = frames.cells[frames.cells["method"] == method]
        per_prompt = cells[cells["status"] == "completed"].groupby("prompt_id", sort=False)
        entries = [Entry(mean=float(len(cells)))]
        entries += [Entry(mean=float((cells["status"] == status).sum())) for status in STATUSES]
        entries += [entry(per_prompt[column].mean()) for column in ("unet_calls", "unet_rows")]
        entries += [Entry(mean=float(cells["seconds"].sum()) / 60)]
        rows.append(Row(method, tuple(entries)))
    caption = (
        "Cells by status. nan, empty, opaque and frozen are divergence of the optimisation; oom, timeout and crashed "
        "are failures of the run and say nothing about the method.",
        "UNet calls and rows (calls × batch) are mean ± SD (n) over prompts, completed cells; total is the wall time "
        "of all cells, with set-up and evaluation renders.",
        *notes,
    )
    return Table("runs", "Runs", caption, "Method", columns, tuple(rows))

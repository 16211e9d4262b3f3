"""Prompts that all methods completed, and the cells that are missing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from itertools import product
from typing import Any

import pandas as pd

from reports.means import common_prompts
from reports.table import Entry, Row, Table, TableColumn
from reports.tables.measured import Measured

_LONGEST_REASON = 200


def coverage(measured: Measured) -> str:
    """Say in a sentence how many prompts every method completed."""
    common, prompts = common_prompts(measured.frames), measured.frames.prompts
    if len(common) < len(prompts):
        count = f"{len(common)} of {len(prompts)}"
        return (
            f"Prompts that every method completed: {count}; ranks are adjusted for the others, and cells that did not "
            "complete have a table of their own."
        )
    return f"Every method completed {f'all {len(prompts)} prompts' if len(prompts) > 1 else 'the one prompt'}."


def failures_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """List every cell that did not complete or has no record, with the reason; None if there is none.

    Prompts of which an imported arm has no renders are no cells of it.
    """
    cells = measured.frames.cells
    imported = set(cells.loc[cells["provenance"] == "imported", "method"])
    layout = measured.divergence  # has every cell, run or not
    known = {(cell["method"], cell["prompt_id"], cell["seed"]): cell for cell in cells.to_dict("records")}
    rows = []
    for key in product(layout.methods, layout.prompts, layout.seeds):
        cell = known.get(key)
        if (cell is None and key[0] not in imported) or (cell is not None and cell["status"] != "completed"):
            method, prompt, seed = key
            label = f"{prompt}, seed {seed}" if len(layout.seeds) > 1 else prompt
            rows.append(Row(label, _entries(cell), part=method))
    if not rows:
        return None
    columns = (
        TableColumn("status", "status", kind="words"),
        TableColumn("steps", "steps", decimals=0),
        TableColumn("attempts", "attempts", decimals=0),
        TableColumn("why", "why", kind="words"),
    )
    total = len(layout.methods) * len(layout.prompts) * len(layout.seeds)
    caption = (f"{len(rows)} of {total} cells; steps are those before the end.", *notes)
    return Table("failures", "Cells that did not complete", caption, "Prompt", columns, tuple(rows))


def _entries(cell: Mapping[Hashable, Any] | None) -> tuple[Entry, ...]:
    if cell is None:
        return Entry(text="not run"), Entry(), Entry(), Entry()
    steps = None if pd.isna(cell["steps"]) else float(cell["steps"])
    status = Entry(text=str(cell["status"]), cells=(str(cell["cell"]),))
    attempts = None if pd.isna(cell["attempts"]) else float(cell["attempts"])
    return status, Entry(mean=steps), Entry(mean=attempts), Entry(text=_short(cell["failure"]))


def _short(failure: object) -> str:
    """Shorten a failure to its first line; the record has all of it."""
    if not isinstance(failure, str):
        return ""
    line = failure.strip().partition("\n")[0]
    return line if len(line) <= _LONGEST_REASON else line[: _LONGEST_REASON - 1] + "…"

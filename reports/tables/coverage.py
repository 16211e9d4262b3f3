"""Prompts that all methods completed, and the cells that are missing."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from reports.gaps import Gaps
from reports.means import common_prompts
from reports.table import Entry, Row, Table, TableColumn
from reports.tables.measured import Measured

_LONGEST_REASON = 200


def coverage(measured: Measured) -> str:
    """Say in a sentence how many prompts every method completed, of those that have a cell: others are not known."""
    common, prompts = common_prompts(measured.frames), measured.frames.prompts
    if len(common) < len(prompts):
        count = f"{len(common)} of {len(prompts)}, of those that were run"
        gaps = Gaps.of(measured.frames)
        lost = gaps.not_run or (measured.frames.cells["status"] != "completed").any()
        table = ", and cells that did not complete have a table of their own" if lost else ""
        renders = f" {gaps.of_imported}." if gaps.of_imported else ""
        return f"Prompts that every method completed: {count}; ranks are adjusted for the others{table}.{renders}"
    all_of_them = f"all {len(prompts)} prompts that were" if len(prompts) > 1 else "the one prompt that was"
    return f"Every method completed {all_of_them} run."


def failures_table(measured: Measured, notes: Sequence[str]) -> Table | None:
    """List every cell that did not complete or has no record, with the reason; None if there is none.

    Prompts of which an imported arm has no renders are no cells of it.
    """
    cells, not_run = measured.frames.cells, Gaps.of(measured.frames).not_run
    lost: dict[tuple[str, str, int], Mapping[Hashable, Any] | None] = dict.fromkeys(not_run)
    for cell in cells[cells["status"] != "completed"].to_dict("records"):
        lost[cell["method"], cell["prompt_id"], cell["seed"]] = cell
    if not lost:
        return None
    several = len(set(cells["seed"])) > 1
    methods, prompts = measured.methods, list(measured.frames.prompts)
    rows = []
    for key in sorted(lost, key=lambda key: (methods.index(key[0]), prompts.index(key[1]), key[2])):
        method, prompt, seed = key
        rows.append(Row(f"{prompt}, seed {seed}" if several else prompt, _entries(lost[key]), part=method))
    columns = (
        TableColumn("status", "status", kind="words"),
        TableColumn("steps", "steps", decimals=0),
        TableColumn("attempts", "attempts", decimals=0),
        TableColumn("why", "why", kind="words"),
    )
    caption = (f"{len(rows)} of {len(cells) + len(not_run)} cells; steps are those before the end.", *notes)
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

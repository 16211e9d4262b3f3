"""Cells that two processes computed, although each cell is locked: the first record counts, and the second is kept.

It happens where locks hold on one machine only, or where a record is copied into a folder that is being run.
"""

from __future__ import annotations

import time
from pathlib import Path

from bench.records.atomic import new_folder
from bench.records.outcome import Outcome
from bench.records.store import RunStore
from bench.records.writing import write_files

_MARK = "--twice-"


def write_second(outcome: Outcome, store: RunStore) -> Path:
    """Write the outcome of a cell that has a record already into ``set-aside/``, and return its folder.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    target = store.folder / "set-aside" / f"{outcome.record.cell.folder_name}{_MARK}{time.time_ns()}"
    with new_folder(target) as folder:
        write_files(outcome, folder)
    return target


def second_records(store: RunStore) -> list[Path]:
    """The folders of all second records."""
    return sorted(store.folder.glob(f"set-aside/[!.]*{_MARK}*"))


def cell_of_second(folder: Path) -> str:
    """Name of the record folder of the cell that a second record is of."""
    return folder.name.partition(_MARK)[0]

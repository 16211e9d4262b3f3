"""Claims on cells by locks of the operating system."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

import bench
from bench.errors import StorageError
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study

ROOT = Path(bench.__file__).parents[1]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run")


CLAIM = """
import sys
from pathlib import Path
from bench.study.cell import Cell
from bench.records.store import RunStore
cell = Cell.model_validate_json(sys.stdin.readline())
with RunStore(Path(sys.argv[1])).claim(cell) as mine:
    print(mine, flush=True)
    sys.stdin.read()
"""


def _claiming(store: RunStore, cell: Cell) -> subprocess.Popen:
    command = [sys.executable, "-c", CLAIM, str(store.folder)]
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    process.stdin.write(cell.model_dump_json() + "\n")
    process.stdin.flush()
    return process


def test_a_claim_holds_against_another_process_and_ends_with_it(store: RunStore, study: Study) -> None:
    cell, other = expand(study)[:2]
    partial = store.folder / "cells" / f".partial-{cell.folder_name}-x"
    partial.mkdir(parents=True)
    process = _claiming(store, cell)
    try:
        assert process.stdout.readline() == "True\n"
        assert not partial.exists(), "what a killed process left of a cell goes with the next claim"
        partial.mkdir()
        with store.claim(cell) as mine, store.claim(other) as also:
            assert (mine, also) == (False, True)
        assert partial.exists(), "the folder of a living process is kept"
    finally:
        process.kill()  # SIGKILL: no code of the process' own lets go
        process.communicate()
    with store.claim(cell) as mine:
        assert mine
        assert not partial.exists()


def test_two_processes_never_both_claim_a_cell(store: RunStore, cell: Cell) -> None:
    processes = [_claiming(store, cell) for _ in range(2)]
    try:
        assert sorted(process.stdout.readline() for process in processes) == ["False\n", "True\n"]
    finally:
        for process in processes:
            process.communicate()


def test_a_disk_without_locks_is_reported(store: RunStore, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    def flock(*_: object) -> None:
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    with pytest.raises(StorageError, match=r"its file system has no locks.*-o flock.*--out"), store.claim(cell):
        pass

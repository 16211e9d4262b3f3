from __future__ import annotations

import io
from pathlib import Path

import pytest
from rich.console import Console

from bench.engines.board import Board
from bench.engines.work import do_cell
from bench.records.attempts import Attempts
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study


@pytest.fixture
def terminal() -> Console:
    return Console(file=io.StringIO(), force_terminal=True, width=160)


def _shown(console: Console) -> str:
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_a_line_for_each_record_whoever_wrote_it(study: Study, tmp_path: Path, console: Console) -> None:
    cells, store = expand(study), RunStore(tmp_path)
    with Board(cells[:2], store, console) as board:
        do_cell(cells[1], study, store)
        board.look()
        assert "[1/2] sdi · blue-duck · seed 0: completed, " in _shown(console)
        do_cell(cells[2], study, store)  # not of this run
        store.attempts(cells[0]).write(Attempts(count=1))
        do_cell(cells[0], study, store)
    assert _shown(console).count("\n") == 2
    assert "[2/2] sds · blue-duck · seed 0: completed, " in _shown(console)
    assert " s, attempt 2, about 0.0 s left\n" in _shown(console)


def test_a_terminal_shows_what_each_worker_is_at(study: Study, tmp_path: Path, terminal: Console) -> None:
    cells, store = expand(study), RunStore(tmp_path)
    with Board(cells, store, terminal) as board:
        for index, cell in enumerate(cells[:2]):
            store.attempts(cell).write(Attempts(count=1, worker=f"node{index}:7", step=index + 2, loss=0.25))
        board.look()
        board._progress.refresh()
    shown = _shown(terminal)
    for word in ("sds · blue-duck · seed 0", "loss 0.25 · node0:7", "2/4", "sdi · blue-duck", "node1:7", "3/4", "0/4"):
        assert word in shown


def test_what_an_earlier_run_left_is_not_shown_as_running(study: Study, tmp_path: Path, terminal: Console) -> None:
    cell, store = expand(study)[0], RunStore(tmp_path)
    store.attempts(cell).write(Attempts(count=1, worker="gone:7"))
    import os

    os.utime(store.attempts(cell).path, (1, 1))
    with Board([cell], store, terminal) as board:
        board.look()
        board._progress.refresh()
    assert "gone:7" not in _shown(terminal)


def test_a_corrupt_record_does_not_end_the_run(cell: Cell, study: Study, tmp_path: Path, console: Console) -> None:
    store = RunStore(tmp_path)
    do_cell(cell, study, store)
    (store.cell_folder(cell) / "record.json").write_text("{")
    with Board([cell], store, console) as board:
        board.look()
    assert _shown(console) == ""

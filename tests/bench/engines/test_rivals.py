"""Locks that hold on one machine only: each host of these tests locks a file of its own in one run folder."""

from __future__ import annotations

import io
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import filelock
import pytest
from rich.console import Console

import bench.engines.work
import bench.records.store
from bench.cells.run_cell import run_cell
from bench.commands.run import run_study
from bench.engines.work import do_cell
from bench.errors import StorageError
from bench.records.attempts import Attempts, AttemptsFile
from bench.records.store import RunStore
from bench.records.twice import cell_of_second, second_records
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study

Hosts = Callable[[str], Any]


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run")


@pytest.fixture
def on_host(monkeypatch: pytest.MonkeyPatch) -> Hosts:
    """A context in which this process is on another machine, whose locks this one does not see."""
    host = ["here"]

    class LocalLock(filelock.FileLock):
        def __init__(self, path: Path, **options: Any) -> None:
            super().__init__(path.with_suffix(f".{host[0]}"), **options)

    monkeypatch.setattr(bench.records.store, "FileLock", LocalLock)
    monkeypatch.setattr(socket, "gethostname", lambda: host[0])
    monkeypatch.setattr(bench.engines.work, "_SECONDS", 0.0)

    @contextmanager
    def on(name: str) -> Iterator[None]:
        host[0], before = name, host[0]
        yield
        host[0] = before

    return on


def _in_step(step: int, what: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call ``what`` in the next cell's ``step``, before the worker notes the step."""
    waiting = [what]

    def watched(*given: Any, on_step: Callable[[Any], None], **named: Any) -> Any:
        def watch(event: Any) -> None:
            if event.step == step and waiting:
                waiting.pop()()
            on_step(event)

        return run_cell(*given, on_step=watch, **named)

    monkeypatch.setattr(bench.engines.work, "run_cell", watched)


def test_a_worker_stops_when_another_machine_begins_its_cell(
    cell: Cell, study: Study, store: RunStore, on_host: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = store.attempts(cell)
    theirs = Attempts().begin(0, "there:7", "theirs")

    def begin_there() -> None:
        with on_host("there"), store.claim(cell) as is_mine:
            assert is_mine, "the simulated locks hold on one machine only"
            file.write(theirs)

    _in_step(1, begin_there, monkeypatch)
    with pytest.raises(StorageError, match=r"there:7 has the same cell as this process, here:.*locks.*one machine"):
        do_cell(cell, study, store)
    assert not store.has(cell)
    assert file.read() == theirs, "the other one's attempt is not touched"
    with on_host("there"):
        assert do_cell(cell, study, store)
    assert store.read(cell) is not None


def test_a_worker_that_finishes_first_keeps_its_record_and_stops(
    cell: Cell, study: Study, store: RunStore, on_host: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    theirs = Attempts().begin(0, "there:7", "theirs")
    write = store.write

    def write_and_begin_there(outcome: Any) -> Any:
        record = write(outcome)
        store.attempts(cell).write(theirs)
        return record

    monkeypatch.setattr(store, "write", write_and_begin_there)
    with pytest.raises(StorageError, match="there:7 has the same cell"):
        do_cell(cell, study, store)
    assert store.read(cell) is not None
    assert store.attempts(cell).read() == theirs


def test_of_a_cell_that_two_machines_finish_the_first_record_counts_and_the_second_is_kept(
    cell: Cell,
    study: Study,
    store: RunStore,
    on_host: Hosts,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    first = {}

    def finish_there() -> None:
        with on_host("there"):
            assert do_cell(cell, study, store)
        first.update({path: path.read_bytes() for path in store.cell_folder(cell).rglob("*.*")})

    _in_step(2, finish_there, monkeypatch)
    assert do_cell(cell, study, store)
    assert {path: path.read_bytes() for path in store.cell_folder(cell).rglob("*.*")} == first
    [second] = second_records(store)
    assert cell_of_second(second) == cell.folder_name
    assert (second / "scene.safetensors").read_bytes() == first[store.cell_folder(cell) / "scene.safetensors"]
    line = f"computed twice: this record came second, {second}\n"
    assert line in capsys.readouterr().err
    assert line in store.log(cell).read_text()
    assert not store.attempts(cell).path.exists()


def test_a_run_ends_with_a_line_on_cells_that_were_computed_twice(
    study: Study, store: RunStore, on_host: Hosts, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = expand(study)[0]

    def finish_there() -> None:
        with on_host("there"):
            do_cell(cell, study, store)

    _in_step(0, finish_there, monkeypatch)
    out = io.StringIO()
    run_study(study, store, Console(file=out, width=200))
    assert f"tiny: computed twice: {cell.folder_name}: the locks of this file system may" in out.getvalue()
    out = io.StringIO()
    run_study(study.model_copy(update={"title": "Again"}), store, Console(file=out, width=200))
    assert "twice" not in out.getvalue()


def test_own_and_older_attempts_are_no_rivals(tmp_path: Path) -> None:
    file, own = AttemptsFile(tmp_path / "cell.json"), Attempts().begin(0, "here:1", "mine")
    assert file.rival_of(own) is None
    file.write(own.model_copy(update={"step": 3}))
    assert file.rival_of(own) is None
    file.write(Attempts(count=2, worker="old:3"))  # of a process without claims
    assert file.rival_of(own) is None
    file.write(Attempts().begin(0, "here:1", "other"))  # the same name and number in another container
    assert file.rival_of(own) == "here:1"

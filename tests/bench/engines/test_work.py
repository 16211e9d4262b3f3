from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from filelock import FileLock

import bench.engines.work
from bench.cells.run_cell import run_cell
from bench.engines.options import EngineOptions
from bench.engines.work import do_cell, set_record_aside, work
from bench.errors import DeviceLostError, RunError
from bench.records.attempts import LIVES, Attempts
from bench.records.record import Record
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study
from bench.watch.telemetry import MemoryMeter


class _KilledError(BaseException):
    """The end of a process: nothing is written after it."""


@pytest.fixture
def store(tmp_path: Path) -> RunStore:
    return RunStore(tmp_path / "run")


@pytest.fixture
def careful(study: Study) -> Study:
    """Saved after each step."""
    return study.model_copy(update={"checkpoint_seconds": 0.0})


def _record(store: RunStore, cell: Cell) -> Record:
    record = store.read(cell)
    assert record is not None
    return record


def _dying_at(step: int, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Let every worker from now on die in the cell's ``step``; the list gets the steps that were done."""
    done: list[int] = []

    def killed(*given: Any, on_step: Callable[[Any], None], **named: Any) -> Any:
        def watch(event: Any) -> None:
            on_step(event)
            if event.step == step:
                raise _KilledError
            done.append(event.step)

        return run_cell(*given, on_step=watch, **named)

    monkeypatch.setattr(bench.engines.work, "run_cell", killed)
    return done


def _die(cell: Cell, study: Study, store: RunStore) -> None:
    """As a killed process leaves it: with nothing written after its last step."""
    file = store.attempts(cell)
    before = file.read()
    started = before.begin(store.checkpoint(cell, study).saved_ns(), "gone:1")
    with pytest.raises(_KilledError):
        do_cell(cell, study, store)
    file.write(started)


def test_a_cell_that_is_done_leaves_its_record_and_log_alone(cell: Cell, study: Study, store: RunStore) -> None:
    assert do_cell(cell, study, store)
    assert _record(store, cell).attempts == 1
    assert not store.attempts(cell).path.exists()
    assert store.log(cell).read_text().startswith(f"== attempt 1, {os.uname().nodename}:{os.getpid()}\n")
    before = store.log(cell).stat().st_mtime_ns
    assert do_cell(cell, study, store)
    assert store.log(cell).stat().st_mtime_ns == before


def test_a_cell_that_another_process_holds_is_left_to_it(cell: Cell, study: Study, store: RunStore) -> None:
    with store.claim(cell) as is_mine:
        assert is_mine
        assert not do_cell(cell, study, store)
    assert store.read(cell) is None
    assert do_cell(cell, study, store)


def test_a_record_that_came_while_the_claim_was_waited_for_is_kept(
    cell: Cell, study: Study, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    do_cell(cell, study, store)
    written = (store.cell_folder(cell) / "record.json").stat().st_mtime_ns
    answers = iter([False, True])
    monkeypatch.setattr(store, "has", lambda _cell: next(answers))
    monkeypatch.setattr(bench.engines.work, "run_cell", lambda *_: pytest.fail("was run again"))
    assert do_cell(cell, study, store)
    assert (store.cell_folder(cell) / "record.json").stat().st_mtime_ns == written


def test_held_cells_are_taken_over_when_their_holder_is_gone(
    study: Study, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cells = expand(study)[:2]
    lock = FileLock(store.folder / "claims" / f"{cells[0].folder_name}.lock")
    lock.acquire()
    waits = []

    def wait(seconds: float) -> None:
        waits.append(seconds)
        assert store.read(cells[1]) is not None  # the other one was done in the meantime
        lock.release()

    monkeypatch.setattr(bench.engines.work.time, "sleep", wait)
    work(study, cells, store)
    assert len(waits) == 1
    assert all(store.read(cell) for cell in cells)


def test_attempts_are_counted_over_deaths(
    cell: Cell, careful: Study, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    for step in (1, 2):
        _dying_at(step, monkeypatch)
        _die(cell, careful, store)
    monkeypatch.undo()
    assert do_cell(cell, careful, store)
    record = _record(store, cell)
    assert (record.status, record.attempts) == ("completed", 3)
    assert store.log(cell).read_text().count("== attempt") == 3


def test_a_cell_that_always_dies_at_one_point_ends_as_crashed(
    cell: Cell, careful: Study, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = _dying_at(2, monkeypatch)
    for _ in range(LIVES + 1):  # the first one gets on: its checkpoint is new
        _die(cell, careful, store)
    assert do_cell(cell, careful, store)
    record = _record(store, cell)
    assert (record.status, record.steps_done, record.attempts) == ("crashed", 2, LIVES + 1)
    assert record.failure is not None
    assert record.failure.kind == "WorkerLost"
    assert "3 times in a row at the same point" in record.failure.message
    assert done == [0, 1]


def test_a_cell_that_gets_on_may_die_as_often_as_it_likes(
    cell: Cell, careful: Study, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    cell = cell.model_copy(update={"steps": 8})
    for step in range(1, 8):
        _dying_at(step, monkeypatch)
        _die(cell, careful, store)
    monkeypatch.undo()
    assert do_cell(cell, careful, store)
    assert (_record(store, cell).status, _record(store, cell).attempts) == ("completed", 8)


def test_an_interrupt_saves_the_step_and_does_not_count_as_a_death(
    cell: Cell, study: Study, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    answers = iter([False, False, True])
    with pytest.raises(KeyboardInterrupt):
        do_cell(cell, study, store, interrupted=lambda: next(answers))
    assert store.attempts(cell).read() == Attempts(count=1, worker=f"{os.uname().nodename}:{os.getpid()}")
    saved = store.checkpoint(cell, study).load()
    assert saved is not None
    assert saved["loop"]["step"] == 3
    assert do_cell(cell, study, store)
    assert _record(store, cell).attempts == 2
    assert _same_scene(store, cell, study)


def _same_scene(store: RunStore, cell: Cell, study: Study) -> bool:
    twin = RunStore(store.folder.with_name("twin"))
    do_cell(cell, study, twin)
    name = "scene.safetensors"
    return (twin.cell_folder(cell) / name).read_bytes() == (store.cell_folder(cell) / name).read_bytes()


def test_what_a_dead_process_left_half_written_is_removed(cell: Cell, study: Study, store: RunStore) -> None:
    store.attempts(cell).write(Attempts(count=1))
    for name in (f"cells/.partial-{cell.folder_name}-abc/x", f"checkpoints/.partial-{cell.folder_name}.safetensors-1"):
        (store.folder / name).parent.mkdir(parents=True)
        (store.folder / name).touch()
    assert do_cell(cell, study, store)
    assert not list(store.folder.rglob(".partial-*"))


def test_limits_become_typed_failures(study: Study, store: RunStore) -> None:
    cells = expand(study)
    do_cell(cells[0], study.model_copy(update={"time_limit_seconds": 1e-9}), store)
    do_cell(cells[1], study.model_copy(update={"memory_limit_gb": 0.05}), store)
    do_cell(cells[2], study.model_copy(update={"memory_limit_gb": 500.0}), store)
    assert [_record(store, cell).status for cell in cells[:3]] == ["timeout", "oom", "completed"]


def test_no_cell_is_begun_after_as_many_failures_as_allowed(study: Study, store: RunStore) -> None:
    cells = expand(study)
    strict = study.model_copy(update={"time_limit_seconds": 1e-9})
    work(strict, cells, store, options=EngineOptions(fail_after=2))
    assert [store.has(cell) for cell in cells] == [True, True, False, False]
    work(strict, cells, store, options=EngineOptions(fail_after=2))
    assert [store.has(cell) for cell in cells] == [True, True, False, False]
    work(strict, cells, store, options=EngineOptions(fail_after=3))
    assert [store.has(cell) for cell in cells] == [True, True, True, False]


def test_only_failures_are_set_aside_and_their_attempts_count(cell: Cell, study: Study, store: RunStore) -> None:
    do_cell(cell, study.model_copy(update={"time_limit_seconds": 1e-9}), store)
    with store.claim(cell):
        assert not set_record_aside(cell, store, lambda record: record.status.failed)  # another process is at it
    assert set_record_aside(cell, store, lambda record: record.status.failed)
    assert set_record_aside(cell, store, lambda record: record.status.failed)  # another process has done so
    do_cell(cell, study, store)
    assert (_record(store, cell).status, _record(store, cell).attempts) == ("completed", 2)
    assert not set_record_aside(cell, store, lambda record: record.status.failed)


def test_warnings_go_to_the_log(
    cell: Cell, study: Study, store: RunStore, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def talkative(*given: Any, **named: Any) -> Any:
        sys.stderr.write("a word of warning\n")
        return run_cell(*given, **named)

    monkeypatch.setattr(bench.engines.work, "run_cell", talkative)
    do_cell(cell, study, store)
    assert "\na word of warning\n" in store.log(cell).read_text()
    assert "a word of warning" in capsys.readouterr().err


@pytest.mark.parametrize("whole_log", [False, True])
def test_a_cell_that_breaks_the_gpu_of_its_process_is_the_last_there(
    study: Study,
    store: RunStore,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    whole_log: bool,
) -> None:
    """Its own record is kept, and the others are left to another process instead of crashing within milliseconds."""
    cells, started = expand(study), []

    def broken_memory(self: MemoryMeter, *given: Any) -> None:
        started.append(1)
        if len(started) > 1:
            raise torch.AcceleratorError("CUDA error: device-side assert triggered")
        plain(self, *given)

    plain = MemoryMeter.__init__
    monkeypatch.setattr(MemoryMeter, "__init__", broken_memory)
    monkeypatch.setattr(bench.engines.work, "lost_device", lambda device: "cuda: CUDA error: it is lost")
    failing = study.model_copy(update={"time_limit_seconds": 1e-9})
    with pytest.raises(DeviceLostError) as caught:
        work(failing, cells, store, whole_log=whole_log)
    assert str(caught.value) == (
        f"cuda: CUDA error: it is lost; {cells[0].folder_name} is timeout, and the same command goes on"
    )
    assert isinstance(caught.value, RunError)  # one line at the command line
    assert [store.has(cell) for cell in cells] == [True, False, False, False]
    assert not store.attempts(cells[0]).path.exists()
    assert not store.checkpoint(cells[0], study).path.exists()
    assert capsys.readouterr().err == "cuda: CUDA error: it is lost\n" * whole_log  # standard error is the log then


def test_a_gpu_is_looked_at_only_after_a_failure(
    cell: Cell, study: Study, store: RunStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.engines.work, "lost_device", lambda device: pytest.fail("was looked at"))
    assert do_cell(cell, study, store)

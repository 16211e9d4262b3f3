from __future__ import annotations

import importlib
import os
import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import bench.engines.local
from bench.engines.local import Local
from bench.engines.options import EngineOptions
from bench.errors import RunError, StorageError
from bench.records.store import RunStore
from bench.study.expand import expand
from bench.study.study import Study


def test_records_say_how_they_were_run(study: Study, tmp_path: Path) -> None:
    store = RunStore(tmp_path)
    [cell, *_] = expand(study)
    Local().run(study, [cell], store, EngineOptions())
    record = store.read(cell)
    assert record is not None
    assert record.environment.deterministic
    assert record.environment.threads == study.threads


def _scenes(store: RunStore) -> dict[str, bytes]:
    return {path.parent.name: path.read_bytes() for path in store.folder.glob("cells/*/scene.safetensors")}


def _when(is_so: Callable[[], object], then: Callable[[], None]) -> threading.Thread:
    """Do something from another thread as soon as something is so."""

    def watch() -> None:
        for _ in range(3000):
            if is_so():
                then()
                return
            time.sleep(0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    return thread


def _at_work(store: RunStore, study: Study) -> list[int]:
    """Numbers of the processes that are in the middle of a cell."""
    found = [store.attempts(cell).read() for cell in expand(study)]
    return [int(attempts.worker.partition(":")[2]) for attempts in found if attempts.step]


@pytest.mark.faults
def test_worker_processes_give_the_same_bits_and_one_that_dies_is_replaced(study: Study, tmp_path: Path) -> None:
    study = study.narrow(steps=40).model_copy(update={"checkpoint_seconds": 0.0})
    cells = expand(study)
    alone, together = RunStore(tmp_path / "alone"), RunStore(tmp_path / "together")
    Local().run(study, cells, alone, EngineOptions(workers=1))
    killed: list[int] = []

    def kill() -> None:
        killed.extend(_at_work(together, study)[:1])
        os.kill(killed[0], signal.SIGKILL)

    thread = _when(lambda: _at_work(together, study), kill)
    Local().run(study, cells, together, EngineOptions(workers=2))
    thread.join()
    assert _scenes(together) == _scenes(alone)
    records = [record for cell in cells if (record := together.read(cell))]
    assert len(killed) == 1
    assert sorted(record.attempts for record in records) == [1, 1, 1, 2]
    assert {record.environment.threads for record in records} == {1}
    assert "attempt 2" in "".join(path.read_text() for path in (together.folder / "logs").iterdir())
    assert not _pool_threads()


def _pool_threads() -> list[threading.Thread]:
    """Threads of pools; one that still ends when the interpreter does makes it print that a pipe is closed."""
    return [thread for thread in threading.enumerate() if "Executor" in type(thread).__name__]


@pytest.mark.faults
def test_arms_on_another_prior_give_the_same_bits_in_worker_processes(study: Study, tmp_path: Path) -> None:
    """Workers load the study's own prior ahead, and others when a cell asks for them."""
    arms = {"sds": {}, "sds-flow": {"method": "sds", "settings": {"prior": "gaussian-flow"}}}
    study = study.model_copy(update={"methods": arms})
    cells = expand(study)
    assert {cell.prior.name for cell in cells} == {"gaussian", "gaussian-flow"}
    alone, together = RunStore(tmp_path / "alone"), RunStore(tmp_path / "together")
    Local().run(study, cells, alone, EngineOptions(workers=1))
    Local().run(study, cells, together, EngineOptions(workers=2))
    assert len(_scenes(alone)) == 4
    assert _scenes(together) == _scenes(alone)


@pytest.mark.faults
def test_an_interrupt_stops_all_workers_and_keeps_their_cells(endless: Study, tmp_path: Path) -> None:
    cells, store = expand(endless), RunStore(tmp_path)
    before = signal.getsignal(signal.SIGINT)  # ignored, where a shell runs this in the background
    thread = _when(lambda: len(_at_work(store, endless)) == 2, lambda: os.kill(os.getpid(), signal.SIGINT))
    with pytest.raises(KeyboardInterrupt):
        Local().run(endless, cells, store, EngineOptions(workers=2))
    thread.join()
    assert signal.getsignal(signal.SIGINT) is before
    for cell in cells[:2]:
        assert store.checkpoint(cell, endless).load() is not None
        assert store.attempts(cell).read().without_progress == 0
        with store.claim(cell) as is_mine:
            assert is_mine


@pytest.mark.faults
def test_an_error_of_a_worker_is_raised(study: Study, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("no folder")
    with pytest.raises(StorageError, match=r"\.lock: cannot be written \(File exists\)"):
        Local().run(study, expand(study), RunStore(tmp_path / "run"), EngineOptions(workers=2))


@pytest.mark.faults
def test_an_error_that_no_other_process_can_build_ends_the_run(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception of another's package that takes other arguments than it keeps: a pool breaks over it."""
    (tmp_path / "odd_job.py").write_text(
        "class OddError(Exception):\n"
        "    def __init__(self, one, two):\n"
        "        super().__init__('odd')\n"
        "def work(*_, **__):\n"
        "    raise OddError(1, 2)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(bench.engines.local, "work", importlib.import_module("odd_job").work)
    with pytest.raises(RunError, match=r"a worker process failed with an error that cannot be serialised .*OddError"):
        Local().run(study, expand(study), RunStore(tmp_path / "run"), EngineOptions(workers=2))


@pytest.mark.faults
def test_a_worker_that_cannot_start_is_told(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PYTHONHASHSEED", "x")  # no interpreter starts with it
    with pytest.raises(RunError, match="a worker process died while it loaded the prior"):
        Local().run(study, expand(study), RunStore(tmp_path), EngineOptions(workers=2))


@pytest.mark.faults
def test_a_worker_that_lost_its_gpu_is_replaced(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lost_job.py").write_text(
        "from pathlib import Path\n"
        "from bench.engines.work import work as plain\n"
        "from bench.errors import DeviceLostError\n"
        "def work(study, cells, store, **given):\n"
        "    lost = [path for path in (store.folder / 'one', store.folder / 'two') if not path.exists()]\n"
        "    if lost:\n"
        "        lost[0].touch()\n"
        "        raise DeviceLostError('cuda: lost')\n"
        "    plain(study, cells, store, **given)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(bench.engines.local, "work", importlib.import_module("lost_job").work)
    (tmp_path / "run").mkdir()
    cells, store = expand(study), RunStore(tmp_path / "run")
    Local().run(study, cells, store, EngineOptions(workers=2))
    assert {record.status.value for cell in cells if (record := store.read(cell))} == {"completed"}
    assert (store.folder / "two").exists()

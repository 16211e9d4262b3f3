from __future__ import annotations

import os
import signal
import threading
import time
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

import bench.commands.run
import bench.engines.slurm
from bench.commands.run import run_study
from bench.engines import engines
from bench.engines.options import EngineOptions
from bench.engines.slurm import Slurm, SlurmWorker
from bench.engines.work import do_cell, work
from bench.errors import DeviceLostError, InputError
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study

submitit = pytest.importorskip("submitit", reason="submitit is not installed (extra slurm)")


def test_options_reach_slurm(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a Slurm whose sbatch only keeps the script that it is given."""
    (tmp_path / "bin").mkdir()
    for name, line in {
        "sbatch": f'cp "$1" {tmp_path}/script.sh; echo Submitted batch job 7',
        "srun": "true",
        "sacct": "echo 'JobID|State'; echo '7_0|FAILED'; echo '7_1|FAILED'",
    }.items():
        (tmp_path / "bin" / name).write_text(f"#!/bin/sh\n{line}\n")
        (tmp_path / "bin" / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    options = EngineOptions(
        workers=2, slurm_partition="gpu", slurm_minutes=90, slurm_mem_gb=24.0, slurm_gres="gpu:h100:1"
    )
    store = RunStore(tmp_path / "run")
    cells = expand(study)
    store.open(study)
    monkeypatch.setattr(store, "finished", lambda: {cell.folder_name for cell in cells})  # do not wait for the jobs
    Slurm().run(study, cells, store, options)
    script = (tmp_path / "script.sh").read_text()
    for wanted in ("partition=gpu", "time=90", "mem=24GB", "gres=gpu:h100:1", "array=0-1%2", "cpus-per-task=1",
                   "job-name=sdibench-tiny", "signal=USR2@90"):  # fmt: skip
        assert f"#SBATCH --{wanted}\n" in script


def test_a_machine_without_slurm_is_told(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(InputError, match=r"--engine slurm: .*srun.*--slurm-cluster local"):
        engines["slurm"]().run(study, expand(study), RunStore(tmp_path / "run"), EngineOptions())


@pytest.mark.parametrize(
    ("options", "variables", "is_refused"),
    [
        ({}, {}, True),
        ({"slurm_partition": "gpu"}, {}, True),
        ({"slurm_gres": "gpu:1"}, {}, False),
        ({}, {"SBATCH_GPUS_PER_NODE": "1"}, False),
        ({}, {"SDIBENCH_DEVICE": "cpu"}, False),
        ({"slurm_cluster": "local"}, {}, False),
    ],
)
def test_jobs_without_a_gpu_are_refused_for_a_prior_that_needs_one(
    study: Study,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, Any],
    variables: dict[str, str],
    is_refused: bool,
) -> None:
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    given = EngineOptions(**options)
    Slurm().check(study, given)  # its prior needs none
    monkeypatch.setattr("bench.engines.workers.prior_uses_gpu", lambda name: True)
    if not is_refused:
        Slurm().check(study, given)
        return
    with pytest.raises(
        InputError,
        match=r"^--slurm-gres: is not given, .* the prior gaussian needs; add --slurm-gres gpu:1",
    ):
        Slurm().check(study, given)


def test_nothing_is_submitted_without_a_gpu(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    monkeypatch.setattr("bench.engines.workers.prior_uses_gpu", lambda name: True)
    store, console = RunStore(tmp_path / "run"), Console(quiet=True)
    run_study(study, store, console)
    before = {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()}
    monkeypatch.setattr(bench.commands.run, "_is_changed", lambda *_: True)
    with pytest.raises(InputError, match="--slurm-gres"):
        run_study(study, store, console, engine="slurm", retry_changed=True)
    assert {path: path.read_bytes() for path in store.folder.rglob("*") if path.is_file()} == before
    with pytest.raises(InputError, match="--slurm-gres"):
        run_study(study, RunStore(tmp_path / "new"), console, engine="slurm")
    assert not (tmp_path / "new").exists()


class _JobHere:
    """A job that is done as soon as it is submitted."""

    def __init__(self, worker: SlurmWorker) -> None:
        self._result = worker()

    def done(self) -> bool:
        return True

    def exception(self) -> None:
        return None

    def result(self) -> bool:
        return self._result


def test_a_job_that_lost_its_gpu_is_followed_by_another(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each job of the first two ends with one cell."""
    cells, store = expand(study), RunStore(tmp_path / "run")
    store.open(study)
    submitted: list[_JobHere] = []

    def losing(study: Study, cells: list[Cell], store: RunStore, **given: Any) -> None:
        left = [cell for cell in cells if not store.has(cell)]
        work(study, left[:1] if len(left) > 2 else left, store)
        if len(left) > 2:
            raise DeviceLostError("cuda: lost")

    def submit(worker: SlurmWorker) -> _JobHere:
        submitted.append(_JobHere(worker))
        return submitted[-1]

    executor = SimpleNamespace(submit=submit, batch=nullcontext)
    monkeypatch.setattr(bench.engines.slurm, "work", losing)
    monkeypatch.setattr(bench.engines.slurm, "_executor", lambda *_: executor)
    monkeypatch.setattr(bench.engines.slurm, "_SECONDS", 0.0)
    Slurm().run(study, cells, store, EngineOptions())
    assert [job.result() for job in submitted] == [True, True, False]
    assert all(store.has(cell) for cell in cells)


def _check_same_scene(store: RunStore, cell: Cell, study: Study) -> None:
    """That the cell ended as one that nobody disturbed."""
    alone = RunStore(store.folder.with_name("alone"))
    do_cell(cell, study, alone)
    scenes = [of.cell_folder(cell) / "scene.safetensors" for of in (store, alone)]
    assert scenes[0].read_bytes() == scenes[1].read_bytes()


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # submitit leaves its process to itself
def test_a_job_that_outlasts_its_time_limit_is_queued_again_and_ends_its_cell(endless: Study, tmp_path: Path) -> None:
    """submitit's jobs on this machine: the limit of a minute signals after half of it, and the cell takes longer."""
    study = endless.narrow(methods=["sds"]).model_copy(update={"checkpoint_steps": 20, "threads": 1})
    start = time.monotonic()
    [cell] = expand(study.narrow(steps=100))
    do_cell(cell, study, RunStore(tmp_path / "timed"))
    study = study.narrow(steps=int(100 * 45 / (time.monotonic() - start)))
    [cell], store = expand(study), RunStore(tmp_path / "run")
    store.open(study)
    Slurm().run(study, [cell], store, EngineOptions(slurm_cluster="local", slurm_minutes=1))
    record = store.read(cell)
    assert record is not None
    log = store.log(cell).read_text()
    assert record.failure is None
    assert record.steps_done == study.steps
    assert record.attempts == 1 + log.count("Requeued job") >= 2
    assert "this job is timed-out" in log
    assert record.seconds.optimise > 25
    _check_same_scene(store, cell, study)


@pytest.mark.faults
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # submitit leaves its process to itself
def test_a_job_that_runs_out_of_time_is_queued_again_and_ends_its_cells(study: Study, tmp_path: Path) -> None:
    """submitit's jobs on this machine, with the signal that Slurm sends when a job's time is over."""
    study = study.narrow(methods=["sds"], steps=50, prompt_ids=["blue-duck"])
    [cell], store = expand(study), RunStore(tmp_path / "run")
    store.open(study.model_copy(update={"checkpoint_seconds": 0.0}))
    seen: list[str] = []

    def end_time() -> None:
        while len(seen) < 2:
            attempts = store.attempts(cell).read()
            if attempts.step and attempts.worker not in seen:
                os.kill(int(attempts.worker.partition(":")[2]), signal.SIGUSR2)
                seen.append(attempts.worker)
            time.sleep(0.01)

    threading.Thread(target=end_time, daemon=True).start()
    Slurm().run(study, [cell], store, EngineOptions(slurm_cluster="local", slurm_minutes=10))
    record = store.read(cell)
    assert record is not None
    assert (record.steps_done, record.failure, record.attempts) == (50, None, 3)
    log = store.log(cell).read_text()
    assert "this job is timed-out" in log
    assert log.count("Requeued job") == 2
    _check_same_scene(store, cell, study)

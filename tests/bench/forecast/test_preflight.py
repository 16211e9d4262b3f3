from __future__ import annotations

import io
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

import bench.commands.run
import bench.engines.workers
import bench.forecast.forecast
import bench.forecast.preflight
from bench.commands.run import run_study
from bench.engines import Engine, engines
from bench.engines.options import EngineOptions
from bench.errors import InputError, RunError
from bench.records.record import RECORD_FILE
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study


def _rewrite(store: RunStore, **fields: dict) -> None:
    """Change tables of all records, as if they had cost something else."""
    for path in store.folder.glob(f"cells/*/{RECORD_FILE}"):
        record = json.loads(path.read_text())
        for name, values in fields.items():
            record[name] |= values
        path.write_text(json.dumps(record))


@pytest.fixture
def unfinished(study: Study, finished: RunStore) -> RunStore:
    """A run whose last cell is missing, and whose others took a hundred hours."""
    finished.set_aside(finished.cell_folder(expand(study)[-1]))
    _rewrite(finished, seconds={"optimise": 360_000.0})
    return finished


def _cells(store: RunStore) -> int:
    return len(list((store.folder / "cells").iterdir()))


def test_more_than_the_budget_is_refused_without_a_terminal(
    study: Study, unfinished: RunStore, console: Console
) -> None:
    with pytest.raises(InputError) as caught:
        run_study(study, unfinished, console, budget_hours=24.0)
    line = str(caught.value)
    assert line.startswith("tiny: 1 cells will take about 100 CPU-hours on ")
    assert line.endswith("; agree with --budget-hours 101 or --yes")
    assert _cells(unfinished) == 3


def test_a_long_study_on_other_machines_is_not_begun_unasked(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    given = []

    class Elsewhere(Engine):
        def run(self, study: Study, cells: Sequence[Cell], store: RunStore, options: EngineOptions) -> None:
            given.extend(cells)

    monkeypatch.setitem(engines._found, "elsewhere", Elsewhere)
    monkeypatch.setattr(bench.commands.run, "_check", lambda *_: None)
    study, store = study.model_copy(update={"steps": 10_000}), RunStore(tmp_path / "run")
    with pytest.raises(InputError) as caught:
        run_study(study, store, console, engine="elsewhere", budget_hours=24.0)
    assert str(caught.value) == (
        "tiny: 4 cells of 40000 steps in all run elsewhere; how long they take is unknown; agree with --budget-hours "
        "45 or --yes; sdibench plan --on GPU estimates it"
    )
    assert not given
    for budget_hours in (None, 45.0):
        run_study(study, store, console, engine="elsewhere", budget_hours=budget_hours)
    assert len(given) == 8


@pytest.mark.parametrize(
    ("is_one_known", "line"),
    [
        (False, "2 cells of 8 steps in all run elsewhere; .* --budget-hours 223 or"),
        (True, "3 cells will take at least .*; agree with --budget-hours 223 or"),
    ],
)
def test_arms_that_nothing_is_known_of_count_on_other_machines(
    study: Study, finished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch, is_one_known: bool, line: str
) -> None:
    """The records of one arm are no forecast of another, whether cells of it are left to run or not."""
    cells = expand(study)
    left = [cell for cell in cells if cell.label == "sdi"] + [cell for cell in cells if cell.label == "sds"][
        :is_one_known
    ]
    for cell in left:
        finished.set_aside(finished.cell_folder(cell))
    monkeypatch.setitem(engines._found, "elsewhere", type("Elsewhere", (Engine,), {"run": lambda *_: None}))
    monkeypatch.setattr(bench.forecast.preflight, "_LONG_STEP", 1e5)
    with pytest.raises(InputError, match=f"^tiny: {line}"):
        run_study(study, finished, console, engine="elsewhere", budget_hours=24.0)


@pytest.mark.parametrize("budget_hours", [101.0, None])
def test_a_large_enough_budget_or_none_at_all_lets_it_run(
    study: Study, unfinished: RunStore, console: Console, budget_hours: float | None
) -> None:
    run_study(study, unfinished, console, budget_hours=budget_hours)
    assert _cells(unfinished) == 4


@pytest.mark.parametrize(("answer", "cells"), [("y\n", 4), ("Yes\n", 4), ("\n", 3), ("n\n", 3)])
def test_on_a_terminal_it_asks(
    study: Study, unfinished: RunStore, monkeypatch: pytest.MonkeyPatch, answer: str, cells: int
) -> None:
    stdin = io.StringIO(answer)
    monkeypatch.setattr(stdin, "isatty", lambda: True)
    monkeypatch.setattr(sys, "stdin", stdin)
    console = Console(file=io.StringIO(), width=300, force_terminal=True, color_system=None)
    if cells == 4:
        run_study(study, unfinished, console, budget_hours=24.0)
    else:
        with pytest.raises(InputError, match="tiny: nothing was run; sdibench plan shows"):
            run_study(study, unfinished, console, budget_hours=24.0)
    assert "go on? [y/N]" in console.file.getvalue()  # type: ignore[attr-defined]
    assert _cells(unfinished) == cells


def _refuse(*_given: object, **_named: object) -> None:
    raise AssertionError("no step should be timed")


def test_a_small_study_without_records_is_not_timed(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bench.forecast.forecast, "time_cell", _refuse)
    run_study(study, RunStore(tmp_path / "run"), console, budget_hours=24.0)
    assert _cells(RunStore(tmp_path / "run")) == 4


def test_one_that_could_reach_the_budget_is_timed(study: Study, tmp_path: Path, console: Console) -> None:
    with pytest.raises(InputError, match=r"4 cells will take about .* CPU-hours on .*; agree with --budget-hours 1 or"):
        run_study(study, RunStore(tmp_path / "run"), console, budget_hours=1e-6)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of 24 GB of which 20 are free, as far as anyone asks."""
    for module in (bench.forecast.preflight, bench.forecast.forecast):
        monkeypatch.setattr(module, "study_device", lambda study: torch.device("cuda"))
        monkeypatch.setattr(module, "device_name", lambda device: "Tiny GPU")
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (20 * 10**9, 24 * 10**9))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 0)


@pytest.mark.parametrize(("peak", "fits"), [(17.3e9, True), (17.5e9, False)])
@pytest.mark.usefixtures("gpu")
def test_too_little_gpu_memory_is_reported_before_anything_runs(
    study: Study, unfinished: RunStore, console: Console, peak: float, fits: bool
) -> None:
    _rewrite(unfinished, memory={"kind": "cuda", "peak_bytes": int(peak)}, environment={"device": "Tiny GPU"})
    if fits:
        run_study(study, unfinished, console, budget_hours=1000.0)
        return
    with pytest.raises(InputError) as caught:
        run_study(study, unfinished, console, budget_hours=1000.0)
    assert str(caught.value) == (
        "sdi: needs 20.1 GB of GPU memory (17.5 GB at the peak, from 1 record), and 20.0 GB of 24.0 GB are free on "
        "cuda (Tiny GPU); render smaller images (render.resolution), free the GPU or take another one "
        "(SDIBENCH_DEVICE); --yes ignores this"
    )
    assert _cells(unfinished) == 3
    run_study(study, unfinished, console, budget_hours=None)  # --yes
    assert _cells(unfinished) == 4


@pytest.mark.parametrize(
    "error",
    [
        torch.OutOfMemoryError("CUDA out of memory"),
        RuntimeError("CUDA error: out of memory"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"),
    ],
    ids=["torch", "CUDA", "cuBLAS", "cuDNN"],
)
@pytest.mark.usefixtures("gpu")
def test_memory_that_runs_out_while_steps_are_timed_is_reported(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def run_out(*_given: object, **_named: object) -> None:
        raise error

    monkeypatch.setattr(bench.forecast.forecast, "time_cell", run_out)
    monkeypatch.setattr(bench.forecast.preflight, "_MANY_STEPS", 1)
    with pytest.raises(InputError, match="sds: ran out of GPU memory when its steps were timed, and 20"):
        run_study(study, RunStore(tmp_path / "run"), console, budget_hours=24.0)


@pytest.mark.usefixtures("gpu")
def test_a_step_that_breaks_the_gpu_while_it_is_timed_ends_the_run(
    study: Study, tmp_path: Path, console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither another arm can be timed in this process, nor a cell run."""

    def crash(*_given: object, **_named: object) -> None:
        raise torch.AcceleratorError("CUDA error: device-side assert triggered")

    monkeypatch.setattr(bench.forecast.forecast, "time_cell", crash)
    monkeypatch.setattr(bench.forecast.forecast, "lost_device", lambda device: "cuda: it is lost")
    monkeypatch.setattr(bench.forecast.preflight, "_MANY_STEPS", 1)
    with pytest.raises(RunError, match="sds: when its steps were timed, cuda: it is lost; --yes runs the study"):
        run_study(study, RunStore(tmp_path / "run"), console, budget_hours=24.0)
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(("workers", "fits"), [(1, True), (2, False)])
@pytest.mark.usefixtures("gpu")
def test_workers_that_share_a_gpu_need_its_memory_each(
    study: Study, unfinished: RunStore, console: Console, monkeypatch: pytest.MonkeyPatch, workers: int, fits: bool
) -> None:
    """Three processes on two GPUs: two of them share one."""
    cells = expand(study)
    for cell in cells[1:-1]:
        unfinished.set_aside(unfinished.cell_folder(cell))
    _rewrite(unfinished, memory={"kind": "cuda", "peak_bytes": 10**10}, environment={"device": "Tiny GPU"})
    monkeypatch.setattr(bench.engines.workers, "gpus", lambda: ["0", "1"])
    monkeypatch.setattr(bench.forecast.preflight, "_MANY_STEPS", 10**9)
    ran: list[int] = []
    assert engines["local"]  # they are found now
    idle = SimpleNamespace(check=lambda *_: None, run=lambda *given: ran.append(len(given[1])))
    monkeypatch.setitem(engines._found, "local", lambda: idle)
    options = EngineOptions(workers=workers + 1)
    if fits:
        with pytest.raises(RunError, match="3 of 3 cells have no record"):  # the engine did nothing
            run_study(study, unfinished, console, budget_hours=1000.0, options=options)
        assert ran == [3]
        return
    with pytest.raises(InputError) as caught:
        run_study(study, unfinished, console, budget_hours=1000.0, options=options)
    assert str(caught.value) == (
        "sds: needs 23.0 GB of GPU memory (10.0 GB at the peak of each of 2 workers on a GPU, from 1 record), and 20.0 "
        "GB of 24.0 GB are free on cuda (Tiny GPU); take fewer --workers, render smaller images (render.resolution), "
        "free the GPU or take another one (SDIBENCH_DEVICE); --yes ignores this"
    )
    assert not ran


def test_records_of_the_processor_s_memory_say_nothing_of_a_gpu(
    study: Study, unfinished: RunStore, console: Console, gpu: None
) -> None:
    _rewrite(unfinished, memory={"kind": "rss", "peak_bytes": 10**12})
    run_study(study, unfinished, console, budget_hours=1000.0)
    assert _cells(unfinished) == 4

from __future__ import annotations

import weakref
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest
import torch

import bench.engines.local
import bench.engines.ray
import bench.engines.slurm
import bench.engines.workers
from bench.engines.options import EngineOptions
from bench.engines.workers import gpus, workers_here, workers_per_gpu
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.settings import PriorChoice
from bench.study.study import Study
from methods.priors.loading import cached_prior


@pytest.mark.parametrize(
    ("prior", "cores", "gigabytes", "threads", "expected"),
    [
        ("toybox", 8, 64, 1, 8),
        ("toybox", 8, 64, 2, 4),
        ("toybox", 8, 4, 1, 2),  # 1.5 GB each and the prior's weights
        ("toybox", 2, 64, 4, 1),
        ("toybox", 8, 1, 1, 1),
        ("gaussian", 8, 64, 1, 1),  # its cells take less time than a process to start
    ],
)
def test_by_default_there_are_as_many_workers_as_cores_and_memory(
    study: Study,
    cell: Cell,
    monkeypatch: pytest.MonkeyPatch,
    prior: str,
    cores: int,
    gigabytes: int,
    threads: int,
    expected: int,
) -> None:
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    monkeypatch.setattr(bench.engines.workers, "core_count", lambda: cores)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=gigabytes * 10**9))
    asked = study.model_copy(update={"prior": PriorChoice(name=prior), "threads": threads})
    assert workers_here(asked, [cell.model_copy(update={"steps": 10_000})]) == expected


def test_by_default_there_is_a_worker_for_each_gpu(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(bench.engines.workers, "prior_device", lambda name: "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert workers_here(study, []) == 3


def test_an_arms_own_prior_on_a_gpu_counts_too(study: Study, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(bench.engines.workers, "prior_device", lambda name: {"toybox": "cuda"}.get(name, "cpu"))
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(bench.engines.workers, "core_count", lambda: 32)
    cells = [cell.model_copy(update={"steps": 10_000})]
    own = {"sds": {}, "sdi": {"settings": {"prior": "toybox"}}}
    assert workers_here(study.model_copy(update={"methods": own}), cells) == 1
    assert workers_here(study, cells) > 1


def test_processes_that_share_a_gpu_are_counted(study: Study, cell: Cell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "0,1")
    monkeypatch.setattr(bench.engines.workers, "prior_device", lambda name: "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    for asked, shared in ((None, 1), (1, 1), (2, 1), (3, 2), (4, 2), (5, 3), (100, 3)):
        assert workers_per_gpu(study, [cell] * 6, asked) == shared
    monkeypatch.setenv("SDIBENCH_DEVICE", "cuda:1")
    assert workers_per_gpu(study, [cell] * 6, 4) == 4


def test_the_memory_of_timed_steps_is_free_before_workers_start(
    study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The prior and what a reference cycle holds, for every engine whose workers are other processes."""
    emptied: list[bool] = []

    class Cycle:
        def __init__(self) -> None:
            self.prior, self.itself = cached_prior("gaussian", "mode"), self

    def run(start: Callable[[], object]) -> None:
        cached_prior.cache_clear()  # another test may hold the one before
        loaded, _ = weakref.ref(cached_prior("gaussian", "mode")), Cycle()
        del _
        monkeypatch.setattr(torch.cuda, "empty_cache", lambda: emptied.append(loaded() is None))
        with pytest.raises(_StartedError):
            start()

    def started(*_given: object) -> None:
        raise _StartedError

    cells, store = expand(study), RunStore(tmp_path)
    monkeypatch.setattr(bench.engines.local, "_run_processes", started)
    monkeypatch.setattr(bench.engines.ray, "_cluster", started)
    monkeypatch.setattr(bench.engines.slurm, "_executor", started)
    run(lambda: bench.engines.local.Local().run(study, cells, store, EngineOptions(workers=2)))
    run(lambda: bench.engines.ray.Ray().run(study, cells, store, EngineOptions()))
    run(lambda: bench.engines.slurm.Slurm().run(study, cells, store, EngineOptions()))
    assert emptied == [True, True, True]


class _StartedError(Exception):
    """Workers were about to start."""


def test_a_run_in_this_process_keeps_its_prior(study: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loaded = cached_prior("gaussian", "mode")
    bench.engines.local.Local().run(study, expand(study)[:1], RunStore(tmp_path), EngineOptions())
    assert cached_prior("gaussian", "mode") is loaded


def test_cells_that_end_before_a_process_has_started_get_one(
    study: Study, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    monkeypatch.setattr(bench.engines.workers, "core_count", lambda: 4)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=64 * 10**9))
    asked = study.model_copy(update={"prior": PriorChoice(name="toybox")})
    for count, expected in ((1, 1), (99, 1), (400, 2), (4000, 4)):
        assert workers_here(asked, [cell] * (count // cell.steps)) == expected


def test_workers_take_the_gpus_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    assert gpus() == ["0", "1"]
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3,GPU-5f")
    assert gpus() == ["3", "GPU-5f"]
    monkeypatch.setenv("SDIBENCH_DEVICE", "cuda:0")
    assert gpus() == []

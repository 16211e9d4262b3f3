from __future__ import annotations

from types import SimpleNamespace

import psutil
import pytest
import torch

import bench.engines.workers
from bench.engines.workers import gpus, workers_here
from bench.study.cell import Cell
from bench.study.settings import PriorChoice
from bench.study.study import Study


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
    monkeypatch.setattr(bench.engines.workers, "_cores", lambda: cores)
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=gigabytes * 10**9))
    asked = study.model_copy(update={"prior": PriorChoice(name=prior), "threads": threads})
    assert workers_here(asked, [cell.model_copy(update={"steps": 10_000})]) == expected


def test_by_default_there_is_a_worker_for_each_gpu(study: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    monkeypatch.setattr(bench.engines.workers, "prior_device", lambda name: "cuda")
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 3)
    assert workers_here(study, []) == 3


def test_cells_that_end_before_a_process_has_started_get_one(
    study: Study, cell: Cell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SDIBENCH_DEVICE", raising=False)
    monkeypatch.setattr(bench.engines.workers, "_cores", lambda: 4)
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

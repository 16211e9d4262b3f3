"""The number of processes that work on a study on this machine."""

from __future__ import annotations

import gc
import math
import os
from collections.abc import Sequence

import psutil
import torch

from bench.study.cell import Cell
from bench.study.study import Study
from bench.watch.machine import core_count
from methods.priors.loading import cached_prior, folder_of, prior_device, prior_uses_gpu

#: Memory of a worker in addition to its prior: torch, the scene and its optimiser.
_WORKER_BYTES = 1_500_000_000

#: Steps that take as long as a process to start, about eight seconds with the toybox's prior.
_STEPS_OF_A_START = 200


def workers_here(study: Study, cells: Sequence[Cell]) -> int:
    """One process per GPU, or as many as the cores and the free memory have room for and the cells are worth.

    Priors without weights get one process too, since their cells take less time than a process to start.
    """
    names = {each.prior.name for each in study.by_prior()}
    devices = {prior_device(name) for name in names} - {None}
    if devices != {"cpu"}:
        return max(1, len(gpus())) if devices else 1
    folders = [folder for name in names if (folder := folder_of(name)) is not None]
    weights = sum(path.stat().st_size for folder in folders for path in folder.rglob("*") if path.is_file())
    worth = max(1, sum(cell.steps for cell in cells) // _STEPS_OF_A_START)
    return min(worth, cpu_workers(study.threads, 2 * weights))


def worker_count(study: Study, cells: Sequence[Cell], asked: int | None) -> int:
    """The number of processes that run the cells here; one is this process itself.

    Args:
        study: What the cells are of.
        cells: The cells to run.
        asked: The number that the user asks for; None for the one of :func:`workers_here`.
    """
    return min(asked or workers_here(study, cells), len(cells))


def workers_per_gpu(study: Study, cells: Sequence[Cell], asked: int | None) -> int:
    """The most processes of :func:`worker_count` that share a GPU, which they take in turn."""
    return math.ceil(worker_count(study, cells, asked) / max(1, len(gpus())))


def prior_on_gpu(study: Study) -> str | None:
    """The first of the study's priors that runs on a GPU by default; None if there is none, or SDIBENCH_DEVICE is set.

    Raises:
        WeightsMissingError: If the weights of one have not been fetched.
    """
    if os.environ.get("SDIBENCH_DEVICE"):
        return None
    names = dict.fromkeys(each.prior.name for each in study.by_prior())
    return next((name for name in names if prior_uses_gpu(name)), None)


def free_device_memory() -> None:
    """Give back what this process holds of GPUs, loaded priors too, so that workers can have it.

    Forecasts time steps in the process that starts the workers.  CUDA's own context stays, about half a gigabyte.
    """
    cached_prior.cache_clear()
    gc.collect()  # scenes and networks have reference cycles
    torch.cuda.empty_cache()


def cpu_workers(threads: int, more_bytes: int = 0) -> int:
    """As many processes of ``threads`` threads as the cores and the free memory have room for, at least one.

    Threads of one step wait for each other, and for every other load: two processes of one thread do more than one of
    two threads.

    Args:
        threads: Torch's threads in each process.
        more_bytes: Memory of a process in addition to torch and what it works on.
    """
    by_memory = psutil.virtual_memory().available // (_WORKER_BYTES + more_bytes)
    return max(1, min(core_count() // threads, by_memory))


def gpus() -> list[str]:
    """The GPUs that this process sees, as CUDA_VISIBLE_DEVICES names them; none where the user has chosen one."""
    if os.environ.get("SDIBENCH_DEVICE"):
        return []
    named = os.environ.get("CUDA_VISIBLE_DEVICES")
    count = torch.cuda.device_count()
    return named.split(",")[:count] if named else [str(index) for index in range(count)]

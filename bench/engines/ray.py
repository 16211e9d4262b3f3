"""The engine of a Ray cluster: tasks that are workers, started again elsewhere when their process or machine is lost.

Every machine of the cluster needs the run folder under the same path, and the suite installed.
"""

from __future__ import annotations

import contextlib
import math
import os
import signal
import socket
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import torch

from bench.engines import Engine, engines
from bench.engines.interrupt import STOP, Interrupt, interrupts
from bench.engines.options import EngineOptions
from bench.engines.work import work
from bench.engines.workers import free_device_memory, prior_on_gpu
from bench.errors import DeviceLostError, InputError
from bench.records.store import RunStore
from bench.study.arms import arms_of
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study

#: Time between two looks at the tasks, seconds.
_SECONDS = 0.5

#: Longest wait for an answer of a cluster's address, seconds.
_CONNECT_SECONDS = 5.0

#: Port of a ray:// address that names none.
_CLIENT_PORT = 10001

#: Hosts that Ray replaces with the machine's own address.
_OWN_NAMES = {"localhost", "127.0.0.1", "::1"}

#: Memory of a GPU that a process holds outside torch's allocator, if NVML did not say it.
_CONTEXT_BYTES = 1_000_000_000


@engines.register("ray")
class Ray(Engine):
    """A Ray cluster, by default with as many workers as it has room for, now or later."""

    def check(self, study: Study, options: EngineOptions) -> None:
        """Raise InputError if the prior needs a GPU and the cluster has none."""
        prior = prior_on_gpu(study)
        if prior is None:
            return
        with _cluster(options.ray_address) as ray:
            if not ray.cluster_resources().get("GPU"):
                raise InputError(
                    f"--engine ray: the cluster has no GPU, which the prior {prior} needs; start a machine of it that "
                    "has one (ray start --num-gpus), or set SDIBENCH_DEVICE=cpu"
                )

    def run(self, study: Study, cells: Sequence[Cell], store: RunStore, options: EngineOptions) -> None:
        free_device_memory()  # this machine may be one of the cluster
        with _cluster(options.ray_address) as ray:
            device_gb = _device_gb(ray)
            gpus = gpu_share(forecast_vram_gb(study, store), device_gb) if device_gb else 0.0
            task = ray.remote(_run).options(
                name=f"sdibench {study.name}",
                num_cpus=study.threads,
                num_gpus=gpus,
                max_retries=-1,
                retry_exceptions=False,
            )
            # a worker that starts when all is done leaves at once
            count = min(options.workers or len(cells), len(cells))
            given = ray.put((study, list(cells), RunStore(store.folder.resolve())))
            with interrupts(*STOP) as interrupt:
                _wait(ray, [task.remote(given, options) for _ in range(count)], interrupt)


def forecast_vram_gb(study: Study, store: RunStore) -> float | None:
    """Forecast memory of a worker on a GPU, 10⁹ bytes: the study's setting, else the most of its finished cells.

    Returns:
        None where the study does not say and one of its methods has no cell yet that was run on a GPU.
    """
    if study.vram_gb_per_cell is not None:
        return study.vram_gb_per_cell
    taken: dict[str, float] = {}
    for record in store.read_all(expand(study)):
        memory, label = record.memory, record.cell.label
        if memory.kind == "cuda":
            held = memory.process_bytes or (memory.reserved_bytes or memory.peak_bytes) + _CONTEXT_BYTES
            taken[label] = max(held / 1e9, taken.get(label, 0.0))
    return max(taken.values()) if taken.keys() == arms_of(study).keys() else None


def gpu_share(vram_gb: float | None, device_gb: float) -> float:
    """Share of a GPU of ``device_gb`` for a worker that is forecast to take ``vram_gb``; all of it without a forecast.

    >>> gpu_share(10.0, 80.0), gpu_share(50.0, 80.0), gpu_share(None, 80.0)
    (0.125, 1.0, 1.0)
    """
    at_once = max(1, int(device_gb // vram_gb)) if vram_gb else 1
    return math.floor(10_000 / at_once) / 10_000  # Ray counts in ten-thousandths


def _run(given: tuple[Study, list[Cell], RunStore], options: EngineOptions) -> None:
    study, cells, store = given
    with interrupts(signal.SIGINT) as interrupt:  # SIGTERM is Ray's, for a machine that is taken away
        try:
            work(study, cells, store, interrupted=interrupt.__bool__, options=options, whole_log=True)
        except DeviceLostError:
            os._exit(1)  # Ray starts the task again in another process, which can use the GPU


def _wait(ray: Any, tasks: list[Any], interrupt: Interrupt) -> None:
    """Wait for all tasks; raise what one of them raised."""
    is_cancelled = False
    while tasks:
        if interrupt and not is_cancelled:
            is_cancelled = True
            for task in tasks:
                ray.cancel(task, force=False)  # KeyboardInterrupt there: the cell is saved
        done, tasks = ray.wait(tasks, timeout=_SECONDS)
        for task in done:
            try:
                ray.get(task)
            except ray.exceptions.TaskCancelledError:
                continue
            except ray.exceptions.RayTaskError as error:
                if not interrupt:
                    raise error.cause from error  # not as_instanceof_cause, whose words are a whole traceback
    if interrupt:
        raise KeyboardInterrupt


@contextlib.contextmanager
def _cluster(address: str | None) -> Iterator[Any]:
    """The module ``ray``, connected."""
    place = None if address == "local" else os.environ.get("RAY_ADDRESS") if address in {None, "auto"} else address
    if place is not None:
        os.environ.setdefault("RAY_NUM_REDIS_GET_RETRIES", "1")  # 40 seconds for what is no Ray, and not 14 minutes
    try:
        import ray
    except ImportError as error:
        raise InputError("--engine ray: Ray is not installed; pip install '.[ray]'") from error
    try:
        if place is not None:
            _require_listener(place, ray.util.get_node_ip_address())
        ray.init(address=address, include_dashboard=False if address is None else None, log_to_driver=False)
    except (OSError, ValueError) as error:  # OSError: ConnectionError, no such host, no answer in time
        given = f"--ray-address = {address!r}" if place == address else f"RAY_ADDRESS = {place!r}"
        raise InputError(
            f"{given}: no Ray cluster answers there ({error}); give host:port of one that runs (ray start --head), or "
            "none for a cluster of this machine"
        ) from error
    try:
        yield ray
    finally:
        ray.shutdown()


def _require_listener(place: str, own_ip: str) -> None:
    """Connect to the port of an address and close: ``ray.init`` tries for minutes where nobody listens.

    Args:
        place: ``host:port`` or ``ray://host:port``; an address of another form is for Ray to judge.
        own_ip: This machine's address, which Ray takes in place of localhost.

    Raises:
        OSError: If nobody listens there, or there is no such host.
        ValueError: If the port is not a number of a port.
    """
    url = urlsplit(place if "://" in place else f"//{place}")
    port = url.port or (_CLIENT_PORT if url.scheme == "ray" else None)
    if url.scheme not in {"", "ray"} or not url.hostname or port is None:
        return
    hosts = [url.hostname, *([own_ip] if url.hostname in _OWN_NAMES else [])]
    for host in hosts:
        try:
            socket.create_connection((host, port), timeout=_CONNECT_SECONDS).close()
        except OSError:
            if host == hosts[-1]:
                raise
        else:
            return


def _device_gb(ray: Any) -> float:
    """Memory of a GPU of the cluster, 10⁹ bytes, as one of its machines sees it; 0 where there is none."""
    if not ray.cluster_resources().get("GPU"):
        return 0.0
    return float(ray.get(ray.remote(_memory_of_gpu).options(num_gpus=1).remote())) / 1e9


def _memory_of_gpu() -> int:
    return int(torch.cuda.get_device_properties(0).total_memory)

"""The engine of one machine: in this process, or in worker processes that have a prior each."""

from __future__ import annotations

import faulthandler
import multiprocessing
import os
import signal
import sys
import threading
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from functools import partial
from typing import Any

from bench.engines import Engine, engines
from bench.engines.interrupt import STOP, Interrupt, interrupts
from bench.engines.options import EngineOptions
from bench.engines.work import work
from bench.engines.workers import free_device_memory, gpus, worker_count
from bench.errors import DeviceLostError, RunError
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.settings import PriorChoice
from bench.study.study import Study
from methods.priors.loading import cached_prior

#: Time between two looks at whether the run is to stop.
_SECONDS = 0.2


@engines.register("local")
class Local(Engine):
    """Worker processes on this machine; a killed cell continues from its checkpoint."""

    def run(self, study: Study, cells: Sequence[Cell], store: RunStore, options: EngineOptions) -> None:
        count = worker_count(study, cells, options.workers)
        job = partial(work, study, cells, store, options=options)
        with interrupts(*STOP) as interrupt:
            if count == 1:
                job(interrupted=interrupt.__bool__)
            else:
                free_device_memory()
                _run_processes(job, study.prior, count, interrupt)


def _run_processes(job: partial[None], prior: PriorChoice, count: int, interrupt: Interrupt) -> None:
    """Keep ``count`` processes at ``job`` until it is done; one that dies is replaced."""
    devices = gpus()
    workers = [_Worker(job, prior, devices[index % len(devices)] if devices else None) for index in range(count)]
    try:
        while running := [worker for worker in workers if worker.is_running()]:
            if interrupt:
                for worker in running:
                    worker.interrupt()
            wait([worker.job for worker in running], _SECONDS, FIRST_COMPLETED)
        if interrupt:
            raise KeyboardInterrupt
    finally:
        for worker in workers:
            worker.kill()


class _Worker:
    """A process, and its successors if it dies.

    Each has a pool of its own: in a common one, the death of a process would end the others too.
    """

    def __init__(self, job: partial[None], prior: PriorChoice, device: str | None) -> None:
        self._job = job
        self._prior = prior
        self._device = device
        self._is_interrupted = False
        self._start()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")  # a forked process cannot use a GPU that its parent has used
        self._pool = ProcessPoolExecutor(1, context, initializer=_prepare, initargs=(self._device,))
        # a terminal sends Ctrl-C and its end to all of its processes, but it is for their parent to say how they end
        before = signal.pthread_sigmask(signal.SIG_BLOCK, set(STOP) - {signal.SIGTERM})
        self._ready: Future[int] = self._pool.submit(_load, self._prior)
        self.job: Future[None] = Future()
        try:
            self.job = self._pool.submit(_run, self._job)
        except BrokenProcessPool as error:  # it is dead already
            self.job.set_exception(error)
        finally:
            signal.pthread_sigmask(signal.SIG_SETMASK, before)

    def is_running(self) -> bool:
        """Whether there is more to wait for; raises what the job raised."""
        if not self.job.done():
            return True
        self._pool.shutdown()
        try:
            self.job.result()
        except BrokenProcessPool as error:
            if error.__cause__ is not None:  # nobody died: what was raised there cannot be unpickled here
                last = str(error.__cause__).strip("'\n").splitlines()[-1]
                raise RunError(f"a worker process failed with an error that cannot be serialised ({last})") from error
            if self._is_interrupted:
                return False
            if self._ready.exception() is not None:
                raise RunError("a worker process died while it loaded the prior: killed, or out of memory") from error
            self._start()
            return True
        except KeyboardInterrupt:
            pass
        return False

    def interrupt(self) -> None:
        """Ask the process to save its cell and leave."""
        if not self._is_interrupted and self._ready.done():
            self._is_interrupted = True
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """End the process, if it still runs, at once, and the pool's thread: at exit its pipe is closed."""
        if not self.job.done():
            self._signal(signal.SIGKILL)
        self._pool.shutdown(cancel_futures=True)

    def _signal(self, number: signal.Signals) -> None:
        with suppress(OSError, BrokenProcessPool):
            os.kill(self._ready.result(), number)


def _prepare(device: str | None) -> None:
    """Begin a worker process: on its own GPU, and never longer than its parent."""
    if device is not None:
        os.environ["CUDA_VISIBLE_DEVICES"] = device
    sys.stdout.reconfigure(errors="replace")  # type: ignore[union-attr]  # no library's message ends a cell
    faulthandler.enable()
    parent = multiprocessing.parent_process()
    threading.Thread(target=_end_with, args=(parent,), daemon=True).start()


def _end_with(parent: Any) -> None:
    parent.join()
    os._exit(1)  # at once: a cell can be left at any point


def _load(prior: PriorChoice) -> int:
    """Load the prior and return the number of this process."""
    cached_prior(*prior.arguments)
    return os.getpid()


def _run(job: partial[None]) -> None:
    with interrupts(signal.SIGTERM) as interrupt:
        try:
            job(interrupted=interrupt.__bool__, whole_log=True)
        except DeviceLostError:
            os._exit(1)  # the process that replaces this one can use the GPU

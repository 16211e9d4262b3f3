"""The engine of a Slurm cluster, through submitit: an array of jobs that are workers.

A job whose time runs out, or that is pre-empted, is queued again and goes on from its cell's checkpoint.  Every node
needs the run folder under the same path; submitit keeps its scripts and logs in ``slurm/`` there.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.engines import Engine, engines
from bench.engines.interrupt import STOP, interrupts
from bench.engines.options import EngineOptions
from bench.engines.work import work
from bench.engines.workers import free_device_memory, prior_on_gpu
from bench.errors import DeviceLostError, InputError, RunError
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.study import Study

#: Time between two looks at the folder and the jobs.
_SECONDS = 1.0

#: How often a job may run out of time: a study of weeks has jobs of hours.
_TIMEOUTS = 10_000


@engines.register("slurm")
class Slurm(Engine):
    """An array of Slurm jobs, which this process waits for; Ctrl-C cancels the jobs."""

    def check(self, study: Study, options: EngineOptions) -> None:
        """Raise InputError if the jobs would see no GPU and the prior is slow without one.

        Jobs on this machine see its own; who sets SDIBENCH_DEVICE knows what the jobs have; and sbatch takes resources
        from variables too.
        """
        is_asked = options.slurm_gres or any(name.startswith(("SBATCH_GRES", "SBATCH_GPUS")) for name in os.environ)
        if options.slurm_cluster == "local" or is_asked:
            return
        prior = prior_on_gpu(study)
        if prior is not None:
            raise InputError(
                f"--slurm-gres: is not given, so that jobs may see no GPU, which the prior {prior} needs; add "
                "--slurm-gres gpu:1, or set SDIBENCH_DEVICE=cuda where the partition gives each job a GPU, or "
                "SDIBENCH_DEVICE=cpu"
            )

    def run(self, study: Study, cells: Sequence[Cell], store: RunStore, options: EngineOptions) -> None:
        free_device_memory()  # the jobs may run on this machine
        executor = _executor(study, store, options)
        names = frozenset(cell.folder_name for cell in cells)
        worker = SlurmWorker(store.folder.resolve(), names, options)
        with interrupts(*STOP) as interrupt:
            with executor.batch():
                jobs = [executor.submit(worker) for _ in range(min(options.workers or 1, len(cells)))]
            ended: list[Any] = []
            while not names <= store.finished():
                if interrupt:
                    for job in jobs:
                        job.cancel()
                    raise KeyboardInterrupt
                for job in [job for job in jobs if job.done()]:
                    jobs.remove(job)
                    if job.exception() is None and job.result():  # its process could use its GPU no more
                        jobs.append(executor.submit(worker))
                    else:
                        ended.append(job)
                if not jobs:
                    _check(ended)
                    break
                time.sleep(_SECONDS)


@dataclass(frozen=True)
class SlurmWorker:
    """The function of a job; small, because submitit writes it to a file."""

    folder: Path
    """The run folder."""
    names: frozenset[str]
    """Names of the record folders of the cells that it may do."""
    options: EngineOptions

    def __call__(self) -> bool:
        """Work until every cell has a record.

        Returns:
            Whether another job is to go on, because this one's process can use its GPU no more.
        """
        store = RunStore(self.folder)
        study = store.read_study()
        cells = [cell for cell in expand(study) if cell.folder_name in self.names]
        try:
            work(study, cells, store, options=self.options, whole_log=True)
        except DeviceLostError:
            return True
        return False

    def checkpoint(self) -> Any:
        """Return the job to queue when time runs out: the same one, since finished work is in the folder."""
        from submitit.helpers import DelayedSubmission

        return DelayedSubmission(self)


def _executor(study: Study, store: RunStore, options: EngineOptions) -> Any:
    try:
        import submitit
    except ImportError as error:
        raise InputError("--engine slurm: submitit is not installed; pip install '.[slurm]'") from error
    cluster = options.slurm_cluster
    try:
        executor = submitit.AutoExecutor(
            store.folder.resolve() / "slurm", cluster, **{f"{cluster}_max_num_timeout": _TIMEOUTS}
        )
    except RuntimeError as error:
        raise InputError(
            f"--engine slurm: {error}; --slurm-cluster local tries the jobs out on this machine"
        ) from error
    executor.update_parameters(**_parameters(study, options))
    return executor


def _parameters(study: Study, options: EngineOptions) -> dict[str, Any]:
    """The resources of a job, by submitit's names."""
    wanted = {
        "name": f"sdibench-{study.name}",
        "timeout_min": options.slurm_minutes,
        "cpus_per_task": study.threads,
        "mem_gb": options.slurm_mem_gb,
        "slurm_partition": options.slurm_partition,
        "slurm_gres": options.slurm_gres,
        "slurm_array_parallelism": options.workers or 1,
    }
    return {name: value for name, value in wanted.items() if value is not None}


def _check(jobs: Sequence[Any]) -> None:
    """Raise RunError if a job failed."""
    for job in jobs:
        error = job.exception()
        if error is not None:
            last = str(error).strip().splitlines()[-1]
            raise RunError(f"job {job.job_id} failed ({last}); its log is {job.paths.stderr}") from error

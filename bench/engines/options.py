"""The options of the engines, which spread a run over processes and machines."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, fields
from typing import Annotated, Literal

from bench.errors import InputError
from bench.ranges import Positive, Within, check_ranges

#: The trackers: those of accelerate that also take images.  Each has the name of its package.
TrackerName = Literal["tensorboard", "wandb", "mlflow", "trackio"]


#: Engines whose options begin with their name.
_ENGINES = ("ray", "slurm")


@dataclass(frozen=True)
class EngineOptions:
    """The options of all engines; each uses its own."""

    workers: Positive | None = None
    """Worker processes, each with its own prior (slurm: array tasks, 1); by default one per GPU or up to one per CPU
    core here, and as many as find room on a Ray cluster."""
    fail_after: Positive | None = None
    """Start no further cell once this many of this run have failed (oom, timeout, crashed); exit status 1."""
    track: TrackerName | None = None
    """Also log loss, opacity, seconds and images of the running cells to this experiment tracker."""
    ray_address: str | None = None
    """Ray cluster to run on (host:port, or auto); a cluster of this machine alone where it is not given."""
    slurm_partition: str | None = None
    """Partition of the jobs."""
    slurm_minutes: Positive = 240
    """Time limit of a job; what is unfinished then is queued again and goes on."""
    slurm_mem_gb: Annotated[float, Within(0, is_open=True)] | None = None
    """Memory of a job, GB."""
    slurm_gres: str | None = None
    """Generic resources of a job: gpu:1 where the study's prior needs a GPU."""
    slurm_cluster: Literal["slurm", "local"] = "slurm"
    """local: run the same jobs as processes of this machine, to try them out."""

    def __post_init__(self) -> None:
        check_ranges(self)
        if self.track and importlib.util.find_spec(self.track) is None:
            raise InputError(f"--track {self.track}: {self.track} is not installed; pip install {self.track}")

    def check_engine(self, engine: str) -> None:
        """Check that the options with an engine's name are of the engine that runs.

        Raises:
            InputError: If one is of another engine, which would not see it.
        """
        for field in fields(self):
            owner = field.name.partition("_")[0]
            if owner in _ENGINES and owner != engine and getattr(self, field.name) != field.default:
                option = f"--{field.name.replace('_', '-')}"
                raise InputError(f"{option}: is an option of the engine {owner}, not of {engine}; add --engine {owner}")


#: The options of a run that is given none.
DEFAULTS = EngineOptions()

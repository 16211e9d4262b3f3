"""The record of a cell: everything it leaves behind, but for its pictures, events and scene."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field, StringConstraints
from torch import Tensor

from bench.study.cell import Cell
from bench.study.settings import Section
from bench.watch.divergence import Divergence, Status
from bench.watch.environment import Environment
from bench.watch.telemetry import Event, Memory, PhaseSeconds, StepSeconds

#: Raised when a record of this code can no longer be read by code of the other version.
FORMAT_VERSION = 3


#: Path of a file below the record's folder: no part of it begins with a dot, so none leads out of the folder.
RecordFile = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$", max_length=200)
]


class Failure(Section):
    """Why a cell did not finish, for ``oom``, ``timeout`` and ``crashed``."""

    kind: str
    """Class of the exception, or ``TimeLimit``."""
    message: str
    """What it said, one line."""
    traceback: str
    """Where it came from; empty for a time limit."""


class RecordedView(Section):
    """One evaluation view."""

    azimuth_deg: float
    """Its camera's azimuth, degrees in (−180, 180]; 0 looks at the front."""
    rgb: RecordFile
    """File of the colours, relative to the record's folder."""
    opacity: RecordFile
    """File of the opacity, relative to the record's folder."""
    normals: RecordFile | None = None
    """File of the normals, relative to the record's folder; None where the scene has none."""


class Snapshot(Section):
    """Some of the evaluation views, rendered on the way: what quality against time is read from."""

    step: int
    """Steps done before it."""
    seconds: float
    """Wall time of those steps, in seconds."""
    views: tuple[RecordedView, ...]
    """The views, in order of azimuth."""


class Record(Section):
    """``record.json``."""

    format_version: Literal[3] = 3
    """Version of this format."""
    identity: str
    """SHA-256 of the cell."""
    cell: Cell
    """What was to be computed."""
    status: Status
    """How it ended."""
    divergence: Divergence | None = None
    """When and why the optimisation diverged, in numbers."""
    failure: Failure | None = None
    """The error, where the cell did not finish."""
    steps_done: Annotated[int, Field(ge=0)]
    """Steps done; fewer than the cell's where it ended early."""
    seconds: PhaseSeconds
    """Wall time by phase."""
    step_seconds: StepSeconds = StepSeconds()
    """Wall time of the optimisation's steps by what they spent it on; steps of the warm-up are left out."""
    memory: Memory
    """Peak memory."""
    energy_joules: float | None = None
    """Energy that the device drew during the cell (NVML's counter); None where there is no such counter."""
    attempts: Annotated[int, Field(ge=1)] = 1
    """How often the cell was begun until it came to this end: 1, and 1 more for each retry, requeue or lost worker."""
    unet_calls: Annotated[int, Field(ge=0)]
    """Network evaluations; a batch counts once."""
    unet_rows: Annotated[int, Field(ge=0)]
    """Batch rows evaluated."""
    started_at: str
    """Start in UTC, ISO 8601."""
    environment: Environment
    """Where it ran."""
    views: tuple[RecordedView, ...] = ()
    """The evaluation views, in order of azimuth."""
    snapshots: tuple[Snapshot, ...] = ()
    """Views on the way, in order of steps; the scores of the last one are those of ``views``."""
    file_bytes: dict[RecordFile, int] = Field(default_factory=dict)
    """Size of every other file of the record, by its path relative to the folder."""
    file_sha256: dict[RecordFile, str] = Field(default_factory=dict)
    """SHA-256 of each of them; empty in a record of before there were any."""


@dataclass(frozen=True)
class Pictures:
    """Renders of some evaluation cameras, as they are written."""

    azimuth_deg: list[float]
    rgb: np.ndarray  # uint8 (n h w 3)
    opacity: np.ndarray  # uint8 (n h w)
    normals: np.ndarray | None = None  # uint8 (n h w 3), (n + 1) / 2 over the background; None for a scene without


@dataclass(frozen=True)
class SnapshotPictures:
    """What becomes a :class:`Snapshot` once its files have names."""

    step: int
    seconds: float
    pictures: Pictures


@dataclass(frozen=True)
class Outcome:
    """A record and the data that goes into its files."""

    record: Record
    events: list[Event]
    azimuth_deg: list[float]
    rgb: np.ndarray  # uint8 (n h w 3); n is 0 where nothing could be rendered
    opacity: np.ndarray  # uint8 (n h w)
    scene: dict[str, Tensor]  # parameters and buffers by name
    normals: np.ndarray | None = None  # as in Pictures
    snapshots: tuple[SnapshotPictures, ...] = ()  # in order of steps

    @property
    def pictures(self) -> Pictures:
        """The evaluation views."""
        return Pictures(self.azimuth_deg, self.rgb, self.opacity, self.normals)

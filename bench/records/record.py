"""The record of a cell: everything that it leaves behind except its images, events and scene."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from bench.study.cell import BaseCell, Cell
from bench.study.imported_cell import ImportedCell
from bench.study.section import Section
from bench.watch.divergence import Divergence, Status
from bench.watch.environment import Environment
from bench.watch.telemetry import Memory, PhaseSeconds, StepSeconds

#: Raised when code of one version cannot read the records of the other.
FORMAT_VERSION = 3

RECORD_FILE = "record.json"
EVENTS_FILE = "events.jsonl"

#: Path of a file below the record's folder: no part starts with a dot, so the path cannot lead out of the folder.
RecordFile = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*$", max_length=200)
]


class Failure(Section):
    """The error that ended a cell with ``oom``, ``timeout`` or ``crashed``."""

    kind: str
    """Class of the exception, or ``TimeLimit``."""
    message: str
    """Message of the exception, one line."""
    traceback: str
    """Stack trace of the exception; empty for a time limit."""


class RecordedView(Section):
    """One evaluation view."""

    azimuth_deg: float
    """Azimuth of the camera, degrees in (−180, 180]; 0 looks at the front."""
    rgb: RecordFile
    """File of the colours, relative to the record's folder."""
    opacity: RecordFile | None = None
    """File of the opacity, relative to the record's folder; None if the renders have none."""
    normals: RecordFile | None = None
    """File of the normals, relative to the record's folder; None if the scene has none."""


class Snapshot(Section):
    """Some of the evaluation views during the optimisation, for curves of quality against time."""

    step: int
    """Steps done before the snapshot."""
    seconds: float
    """Wall time of those steps, in seconds."""
    views: tuple[RecordedView, ...]
    """The views, in order of azimuth."""


class BaseRecord(Section):
    """The part of ``record.json`` that every record has."""

    format_version: Literal[3] = 3
    """Version of this format."""
    identity: str
    """SHA-256 of the cell."""
    cell: BaseCell
    """The cell."""
    status: Status
    """Status in which the cell ended."""
    divergence: Divergence | None = None
    """Step, quantity and bound at which the optimisation diverged; None if it did not."""
    started_at: str
    """Start in UTC, ISO 8601."""
    environment: Environment
    """Hardware and software that the cell ran on."""
    views: tuple[RecordedView, ...] = ()
    """The evaluation views, in order of azimuth."""
    snapshots: tuple[Snapshot, ...] = ()
    """Views during the optimisation, in order of steps; ``views`` are those of the end."""
    file_bytes: dict[RecordFile, int] = Field(default_factory=dict)
    """Size of every other file of the record, by its path relative to the folder."""
    file_sha256: dict[RecordFile, str] = Field(default_factory=dict)
    """SHA-256 of each of these files."""
    record_sha256: str | None = None
    """SHA-256 of ``record.json`` itself (:mod:`bench.records.seal`); None in records without it."""

    @property
    def reason(self) -> str | None:
        """Why the cell diverged or failed, one line; None if it completed."""
        return str(self.divergence) if self.divergence else None

    @property
    def image_side(self) -> int | None:
        """Side of the square images, pixels; None if it can be any."""
        return None


class Record(BaseRecord):
    """``record.json`` of an optimisation."""

    cell: Cell
    """The settings of the cell."""
    failure: Failure | None = None
    """The error; None if the cell finished."""
    steps_done: Annotated[int, Field(ge=0)]
    """Steps done; fewer than the cell's if it ended early."""
    seconds: PhaseSeconds
    """Wall time by phase."""
    step_seconds: StepSeconds = StepSeconds()
    """Wall time of the optimisation's steps by part; steps of the warm-up are left out."""
    memory: Memory
    """Peak memory."""
    energy_joules: float | None = None
    """Energy that the device drew during the cell (NVML's counter); None without such a counter."""
    attempts: Annotated[int, Field(ge=1)] = 1
    """Number of times that the cell was started: 1, and 1 more for each retry, requeue or lost worker."""
    prompt_tokens_cut: Annotated[int, Field(ge=0)] | None = None
    """Tokens of the prompt that the prior's text encoder did not read, view words never among them; None if its prior
    has no such limit, the cell ended before its first step, or an earlier version wrote the record."""
    diagnostics: dict[str, float | None] = Field(default_factory=dict)
    """The method's and the scene's own scalars in the last step, such as a number of Gaussians; None where one is not a
    finite number, empty if no step was done or an earlier version wrote the record."""
    method_sha256: str | None = None
    """SHA-256 of the method's code when the cell was started; None in records without it."""
    unet_calls: Annotated[int, Field(ge=0)]
    """Network evaluations; a batch counts once."""
    unet_rows: Annotated[int, Field(ge=0)]
    """Batch rows evaluated."""

    @property
    def reason(self) -> str | None:
        """Why the cell diverged or failed, one line; None if it completed."""
        return f"{self.failure.kind}: {self.failure.message}" if self.failure else super().reason

    @property
    def image_side(self) -> int:
        """Side of the square images, pixels."""
        return self.cell.evaluation.resolution


class ImportedRecord(BaseRecord):
    """``record.json`` of renders that were made elsewhere: no cost and no setting is known of them."""

    provenance: Literal["imported"] = "imported"
    """Always ``imported``; the record of an optimisation has no such field."""
    cell: ImportedCell
    """The files that the images were made of."""
    is_opacity_known: bool
    """Whether the files had an opacity, by which the scene was judged to be empty or opaque; else its colours were."""

    @property
    def reason(self) -> str | None:
        """Why the renders count as those of a diverged optimisation, one line; None if they do not."""
        found = self.divergence
        return None if found is None else f"{found.quantity} {found.value:.4g} (bound {found.bound:.4g})"


#: A record of either kind.
AnyRecord = Record | ImportedRecord

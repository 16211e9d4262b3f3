"""One cell from its settings to its outcome: no exception of the cell leaves this module."""

from __future__ import annotations

import gc
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
import torch

from bench.cells.evaluation import render_ring
from bench.cells.optimisation import Optimisation, reach
from bench.cells.torch_settings import kept_defaults
from bench.errors import StorageError, VersionError
from bench.records.checkpoint import Checkpoint
from bench.records.event_lines import EventLines
from bench.records.outcome import Images, Outcome, SnapshotImages
from bench.records.record import Failure, Record
from bench.study.cell import Cell
from bench.study.prompt_texts import prompt_tokens_cut
from bench.study.resolve import cell_method
from bench.watch.call_meter import CallMeter
from bench.watch.code_hashes import method_sha256
from bench.watch.divergence import Divergence, Status, not_finite
from bench.watch.energy import EnergyMeter
from bench.watch.environment import describe_environment
from bench.watch.memory_limit import memory_limit
from bench.watch.nvml import Nvml
from bench.watch.shared_state import SharedState, SharedStateError
from bench.watch.step_clock import StepClock
from bench.watch.telemetry import Clock, Event, MemoryMeter
from methods.contracts import HoldsTensors, LimitedText, Prior
from methods.out_of_memory import is_out_of_memory
from methods.priors.loading import cached_prior
from methods.settings import MissingPackageError

#: Functions that are called with the event of each step, and with the images of each snapshot, for progress; their
#: time is not charged to the optimisation.
OnStep = Callable[[Event], None]
OnSnapshot = Callable[[SnapshotImages], None]


class _Meter(Protocol):
    """A meter that continues in another process."""

    def state_dict(self) -> Mapping[str, Any]: ...

    def load_state_dict(self, state: Any) -> None: ...


def run_cell(
    cell: Cell,
    prior: Prior,
    *,
    on_step: OnStep | None = None,
    on_snapshot: OnSnapshot | None = None,
    time_limit_seconds: float | None = None,
    memory_limit_gb: float | None = None,
    checkpoint: Checkpoint | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    attempts: int = 1,
) -> Outcome:
    """Optimise and evaluate a cell; any error of the cell becomes a failure in its record.

    Args:
        cell: The cell.
        prior: Its diffusion prior, loaded once for many cells.
        on_step: Called with the event of each step.
        on_snapshot: Called with the images of each snapshot.
        time_limit_seconds: Longest time for the steps; None for no limit.
        memory_limit_gb: Most memory of the process, 10⁹ bytes (``bench.watch.memory_limit``); None for no limit.
        checkpoint: The file that the cell resumes from and is saved to from time to time.  On a CPU, a cell that was
            killed and resumed ends with the same bits as one that was not.
        interrupted: Asked after each step; once it returns True, the cell is saved and KeyboardInterrupt raised.
        attempts: How often the cell was started, this time included.

    Raises:
        StorageError, VersionError: If the disk refuses a checkpoint, or a checkpoint is of a later version of the
            suite, which are not errors of the cell.
        MissingPackageError: If the scene needs a package that does not work here, which every cell of it would find.
        KeyboardInterrupt: If the cell is interrupted.
    """
    shared = SharedState(prior)
    this = _CellRun(cell, prior, attempts)
    try:
        with kept_defaults(), memory_limit(memory_limit_gb, this.device):
            this.run(on_step, on_snapshot, time_limit_seconds, checkpoint, interrupted)
    except (StorageError, VersionError, MissingPackageError):
        raise
    except Exception as error:  # noqa: BLE001, the cell's boundary: whatever went wrong, the next cell still runs
        this.fail(error)
    try:
        shared.check()
    except SharedStateError as error:
        if not this.status.failed:
            this.fail(error)
        cached_prior.cache_clear()  # so that the next cell loads it again
    outcome = this.outcome()
    if this.status is Status.OOM:  # now that nothing holds the scene any more
        gc.collect()
        with suppress(RuntimeError):  # a GPU that is lost to this process, which the caller finds
            torch.cuda.empty_cache()
    return outcome


def give_up(cell: Cell, prior: Prior, *, why: str, attempts: int, checkpoint: Checkpoint) -> Outcome:
    """The outcome ``crashed`` of a cell that kills its worker every time; the cell is not run again."""
    this = _CellRun(cell, prior, attempts)
    this.resume(None, checkpoint)
    this.status = Status.CRASHED
    this.failure = Failure(kind="WorkerLost", message=why, traceback="")
    return this.outcome()


class _CellRun:
    """A cell while it runs: its events, meters, snapshots and end."""

    def __init__(self, cell: Cell, prior: Prior, attempts: int) -> None:
        self.cell = cell
        self.prior = prior
        self.attempts = attempts
        self.device = prior.device
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.method_sha256: str | None = None
        gpu = Nvml.find(self.device)
        self.clock = Clock()
        self.step_clock = StepClock(self.device)
        self.memory = MemoryMeter(self.device, gpu, _held_bytes(prior))
        self.energy = EnergyMeter(gpu)
        self.calls = CallMeter(prior)
        self.events: list[Event] = []
        self.event_lines = EventLines()
        self.divergence: Divergence | None = None
        self.failure: Failure | None = None
        self.status = Status.COMPLETED
        self.prompt_tokens_cut: int | None = None
        side = cell.evaluation.resolution
        self.images = Images([], np.empty((0, side, side, 3), np.uint8), np.empty((0, side, side), np.uint8))
        self.snapshots: list[SnapshotImages] = []
        self.scene: dict[str, torch.Tensor] = {}
        self.backends: dict[str, str] = {}

    @property
    def meters(self) -> dict[str, _Meter]:
        """The meters, by their names in a checkpoint."""
        return {
            "seconds": self.clock,
            "step_seconds": self.step_clock,
            "memory": self.memory,
            "energy": self.energy,
            "calls": self.calls,
        }

    def state_dict(self) -> dict[str, Any]:
        """Everything that is known of the steps done, except for the optimisation itself."""
        return {
            "started_at": self.started_at,
            "method_sha256": self.method_sha256,
            "events": self.event_lines.encode(self.events),
            "snapshots": [snapshot.state_dict() for snapshot in self.snapshots],
            "meters": {name: meter.state_dict() for name, meter in self.meters.items()},
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue after the steps of ``state``."""
        self.started_at = state["started_at"]
        self.method_sha256 = state["method_sha256"]
        self.events = self.event_lines.decode(state["events"])
        self.snapshots = [SnapshotImages.from_state_dict(snapshot) for snapshot in state["snapshots"]]
        for name, meter in self.meters.items():
            meter.load_state_dict(state["meters"][name])

    def run(
        self,
        on_step: OnStep | None,
        on_snapshot: OnSnapshot | None,
        time_limit_seconds: float | None,
        checkpoint: Checkpoint | None,
        interrupted: Callable[[], bool],
    ) -> None:
        """Take the cell through its phases."""
        with self.phase("prepare"):
            if isinstance(self.prior, LimitedText):
                self.prompt_tokens_cut = prompt_tokens_cut(self.prior, self.cell.prompt, self.cell.view_prompts)
            loop = Optimisation(self.cell, self.prior, self.step_clock)
            self.method_sha256 = method_sha256(cell_method(self.cell))
            self.backends = loop.scene.backends()
            if checkpoint is not None:
                self.resume(loop, checkpoint)
        with self.phase("optimise"):
            self.optimise(loop, on_step, on_snapshot, time_limit_seconds, checkpoint, interrupted)
        with self.phase("evaluate"):
            self.evaluate(loop)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge time and memory of the block to the phase ``name``."""
        with self.clock.phase(name), self.memory.phase(name):
            yield

    def resume(self, loop: Optimisation | None, checkpoint: Checkpoint) -> None:
        """Continue from the checkpoint, if there is one; without ``loop``, only with what is known of its steps."""
        state = checkpoint.load()
        if state is None:
            return
        if loop is not None:
            before = state["run"].get("method_sha256")
            if None not in (before, self.method_sha256) and before != self.method_sha256:
                sys.stderr.write(f"the code of {self.cell.method} has changed since its checkpoint: it starts again\n")
                return
            loop.load_state_dict(state["loop"])
        self.load_state_dict(state["run"])

    def save(self, loop: Optimisation, checkpoint: Checkpoint) -> None:
        """Save the optimisation and what is known of its steps."""
        checkpoint.save({"loop": loop.state_dict(), "run": self.state_dict()})

    def optimise(
        self,
        loop: Optimisation,
        on_step: OnStep | None,
        on_snapshot: OnSnapshot | None,
        time_limit_seconds: float | None,
        checkpoint: Checkpoint | None,
        interrupted: Callable[[], bool],
    ) -> None:
        """Take the steps that are left, until the end, a divergence, the time limit or an interrupt."""
        snapshot_steps = self.cell.evaluation.snapshot_steps(self.cell.steps)
        for event, divergence in loop:
            self.events.append(event)
            if on_step:
                with self.clock.phase("write"):
                    on_step(event)
            if divergence:
                self.diverge(divergence)
                return
            is_late = self.clock.seconds.optimise > (time_limit_seconds or float("inf"))
            if is_late and len(self.events) < self.cell.steps:
                self.status = Status.TIMEOUT
                message = f"{time_limit_seconds:g} seconds ran out after {len(self.events)} of {self.cell.steps} steps"
                self.failure = Failure(kind="TimeLimit", message=message, traceback="")
                return
            if len(self.events) in snapshot_steps:
                self.snapshot(loop)
                if on_snapshot:
                    with self.clock.phase("write"):
                        on_snapshot(self.snapshots[-1])
                if self.divergence:
                    return
            stops = interrupted()
            if checkpoint and (stops or checkpoint.is_due(len(self.events))):
                with self.clock.phase("write"):
                    self.save(loop, checkpoint)
            if stops:
                raise KeyboardInterrupt

    def snapshot(self, loop: Optimisation) -> None:
        """Render the views of a snapshot, whose colours must be finite; its time is charged to the evaluation."""
        seconds = self.clock.seconds.optimise
        with self.phase("evaluate"):
            images, _ = render_ring(loop, self.cell.evaluation.snapshot_places())
        self.snapshots.append(SnapshotImages(len(self.events), seconds, images))
        if not images.is_finite:
            self.diverge(not_finite(len(self.events), "colour or opacity of a snapshot"))

    def evaluate(self, loop: Optimisation) -> None:
        """Render the evaluation views, keep the scene, and judge whether it is lost."""
        self.images, opacity = render_ring(loop)
        self.scene = {name: value.detach().cpu().contiguous() for name, value in loop.scene.state_dict().items()}
        if self.status is Status.COMPLETED:
            reachable = reach(
                loop.scene.bounding_radius, self.cell.evaluation.cameras(), self.cell.evaluation.resolution
            )
            filled = None if loop.scene.is_opaque else opacity / reachable
            divergence = loop.watch.judge_result(len(self.events), opacity=opacity, filled=filled)
            if divergence is None and not self.images.is_finite:
                divergence = not_finite(len(self.events), "colour of the evaluation views")
            if divergence:
                self.diverge(divergence)

    def diverge(self, divergence: Divergence) -> None:
        """Note that the optimisation diverged."""
        self.status = divergence.status
        self.divergence = divergence

    def fail(self, error: Exception) -> None:
        """Note an error of the cell, which counts instead of a divergence."""
        self.divergence = None
        is_memory = is_out_of_memory(error)
        self.status = Status.OOM if is_memory else Status.CRASHED
        self.failure = Failure(
            kind=type(error).__name__,
            message=" ".join(str(error).split()) or ("out of memory" if is_memory else ""),
            traceback="".join(traceback.format_exception(error)),
        )

    def outcome(self) -> Outcome:
        """The record, and the data of its files."""
        record = Record(
            identity=self.cell.identity,
            cell=self.cell,
            status=self.status,
            divergence=self.divergence,
            failure=self.failure,
            steps_done=len(self.events),
            attempts=self.attempts,
            seconds=self.clock.seconds,
            step_seconds=self.step_clock.seconds,
            memory=self.memory.read(),
            energy_joules=self.energy.joules(),
            prompt_tokens_cut=self.prompt_tokens_cut,
            diagnostics=dict(self.events[-1].diagnostics) if self.events else {},
            method_sha256=self.method_sha256,
            unet_calls=self.calls.calls,
            unet_rows=self.calls.rows,
            started_at=self.started_at,
            environment=describe_environment(self.device, self.backends),
        )
        return Outcome(record, self.events, self.images, self.scene, tuple(self.snapshots))


def _held_bytes(prior: Prior) -> int | None:
    """The bytes of the prior's tensors; None for a prior that does not know them."""
    return sum(tensor.nbytes for tensor in prior.held_tensors()) if isinstance(prior, HoldsTensors) else None

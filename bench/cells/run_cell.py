"""One cell from its settings to its outcome: the boundary that no exception leaves."""

from __future__ import annotations

import gc
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import numpy as np
import torch

from bench.cells.evaluation import render_ring, ring_of
from bench.cells.optimisation import Optimisation, reach
from bench.errors import StorageError
from bench.records.checkpoint import Checkpoint
from bench.records.record import Failure, Outcome, Pictures, Record, SnapshotPictures
from bench.study.cell import Cell
from bench.watch.divergence import Divergence, Status
from bench.watch.energy import EnergyMeter
from bench.watch.environment import describe_environment
from bench.watch.memory_limit import memory_limit
from bench.watch.nvml import Nvml
from bench.watch.step_clock import StepClock
from bench.watch.telemetry import Clock, Event, Memory, MemoryMeter, PhaseSeconds, StepSeconds
from methods.contracts import Prior

#: Called after each step, for progress.
OnStep = Callable[[Event], None]

#: What is said of memory by errors that are no ``OutOfMemoryError``: torch's allocator on the CPU, CUDA, cuBLAS.
_OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


def run_cell(
    cell: Cell,
    prior: Prior,
    *,
    on_step: OnStep | None = None,
    time_limit_seconds: float | None = None,
    memory_limit_gb: float | None = None,
    checkpoint: Checkpoint | None = None,
    interrupted: Callable[[], bool] = lambda: False,
    attempts: int = 1,
) -> Outcome:
    """Optimise and evaluate a cell: whatever goes wrong with it becomes a failure in the record.

    Only an interrupt leaves, and what the disk refuses (StorageError), which is no fault of the cell's.

    Args:
        cell: What to compute.
        prior: Its diffusion prior, loaded once for many cells.
        on_step: Called with the event of each step.
        time_limit_seconds: Longest time for the steps; None for no limit.
        memory_limit_gb: Most memory of the process, 10⁹ bytes (``bench.watch.memory_limit``); None for no limit.
        checkpoint: What the cell goes on from, and where it is saved from time to time.  A cell that was killed
            and goes on ends, on a CPU, with the bits of one that was not.
        interrupted: Asked after each step; once it says True the cell is saved and left by KeyboardInterrupt.
        attempts: How often the cell was begun, this time included.
    """
    run = _Run(cell, prior, attempts)
    try:
        with memory_limit(memory_limit_gb, run.device):
            run.go_through(on_step, time_limit_seconds, checkpoint, interrupted)
    except StorageError:
        raise
    except Exception as error:  # noqa: BLE001, the cell's boundary: whatever went wrong, the next cell still runs
        run.fail(error)
    outcome = run.outcome()
    if run.status is Status.OOM:  # now that nothing holds the scene any more
        gc.collect()
        torch.cuda.empty_cache()
    return outcome


def give_up(cell: Cell, prior: Prior, *, why: str, attempts: int, checkpoint: Checkpoint) -> Outcome:
    """The outcome of a cell that takes its worker's process along each time it is begun: ``crashed``, not run again."""
    run = _Run(cell, prior, attempts)
    run.go_on(None, checkpoint)
    run.status = Status.CRASHED
    run.failure = Failure(kind="WorkerLost", message=why, traceback="")
    return run.outcome()


class _Run:
    """What is known of a cell while it runs."""

    def __init__(self, cell: Cell, prior: Prior, attempts: int) -> None:
        self.cell = cell
        self.prior = prior
        self.attempts = attempts
        self.device = prior.device
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.calls, self.rows = prior.calls, prior.rows
        self.clock = Clock()
        self.step_clock = StepClock(self.device)
        gpu = Nvml.find(self.device)
        self.memory = MemoryMeter(self.device, gpu)
        self.energy = EnergyMeter(gpu)
        self.events: list[Event] = []
        self.divergence: Divergence | None = None
        self.failure: Failure | None = None
        self.status = Status.COMPLETED
        side = cell.evaluation.resolution
        self.pictures = Pictures([], np.empty((0, side, side, 3), np.uint8), np.empty((0, side, side), np.uint8))
        self.snapshots: list[SnapshotPictures] = []
        self.scene: dict[str, torch.Tensor] = {}

    def go_through(
        self,
        on_step: OnStep | None,
        time_limit_seconds: float | None,
        checkpoint: Checkpoint | None,
        interrupted: Callable[[], bool],
    ) -> None:
        with self.phase("prepare"):
            loop = Optimisation(self.cell, self.prior, self.step_clock)
            self.go_on(loop, checkpoint)
        with self.phase("optimise"):
            self.optimise(loop, on_step, time_limit_seconds, checkpoint, interrupted)
        with self.phase("evaluate"):
            self.evaluate(loop)

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        with self.clock.phase(name), self.memory.phase(name):
            yield

    def go_on(self, loop: Optimisation | None, checkpoint: Checkpoint | None) -> None:
        state = checkpoint.load() if checkpoint else None
        if state is None:
            return
        if loop is not None:
            loop.load_state_dict(state["loop"])
        self.events = [Event.model_validate(event) for event in state["events"]]
        self.snapshots = [_restored(snapshot) for snapshot in state["snapshots"]]
        self.clock.carry_on(PhaseSeconds.model_validate(state["seconds"]))
        self.step_clock.seconds = StepSeconds.model_validate(state["step_seconds"])
        self.memory.carry_on(Memory.model_validate(state["memory"]))
        self.energy.carry_on(state["energy_joules"])
        self.calls -= state["unet_calls"]
        self.rows -= state["unet_rows"]
        self.started_at = state["started_at"]

    def keep(self, loop: Optimisation, checkpoint: Checkpoint) -> None:
        """Save the optimisation."""
        checkpoint.save(
            {
                "loop": loop.state_dict(),
                "events": [event.model_dump() for event in self.events],
                "snapshots": [_as_state(snapshot) for snapshot in self.snapshots],
                "seconds": self.clock.seconds.model_dump(),
                "step_seconds": self.step_clock.seconds.model_dump(),
                "memory": self.memory.read().model_dump(),
                "energy_joules": self.energy.joules(),
                "unet_calls": self.prior.calls - self.calls,
                "unet_rows": self.prior.rows - self.rows,
                "started_at": self.started_at,
            }
        )

    def optimise(
        self,
        loop: Optimisation,
        on_step: OnStep | None,
        time_limit_seconds: float | None,
        checkpoint: Checkpoint | None,
        interrupted: Callable[[], bool],
    ) -> None:
        snapshot_steps = self.cell.evaluation.snapshot_steps(self.cell.steps)
        for event, divergence in loop:
            self.events.append(event)
            if on_step:
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
                self.snap(loop)
            stops = interrupted()
            if checkpoint and (stops or checkpoint.is_due(len(self.events))):
                self.keep(loop, checkpoint)
            if stops:
                raise KeyboardInterrupt

    def snap(self, loop: Optimisation) -> None:
        """Render the views of a snapshot, in the time of the evaluation."""
        seconds = self.clock.seconds.optimise
        with self.phase("evaluate"):
            pictures, _ = render_ring(loop, self.cell.evaluation.snapshot_places())
        self.snapshots.append(SnapshotPictures(len(self.events), seconds, pictures))

    def evaluate(self, loop: Optimisation) -> None:
        self.pictures, opacity = render_ring(loop)
        self.scene = {name: value.detach().cpu().contiguous() for name, value in loop.scene.state_dict().items()}
        if self.status is Status.COMPLETED:
            filled = opacity / reach(
                loop.scene.bounding_radius, ring_of(self.cell.evaluation), self.cell.evaluation.resolution
            )
            divergence = loop.watch.judge_result(len(self.events), opacity=opacity, filled=filled)
            if divergence:
                self.diverge(divergence)

    def diverge(self, divergence: Divergence) -> None:
        self.status = divergence.status
        self.divergence = divergence

    def fail(self, error: Exception) -> None:
        is_memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or any(
            words in str(error) for words in _OUT_OF_MEMORY
        )
        self.status = Status.OOM if is_memory else Status.CRASHED
        self.failure = Failure(
            kind=type(error).__name__,
            message=" ".join(str(error).split()) or ("out of memory" if is_memory else ""),
            traceback="".join(traceback.format_exception(error)),
        )

    def outcome(self) -> Outcome:
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
            unet_calls=self.prior.calls - self.calls,
            unet_rows=self.prior.rows - self.rows,
            started_at=self.started_at,
            environment=describe_environment(self.device),
        )
        shown = self.pictures
        return Outcome(
            record,
            self.events,
            shown.azimuth_deg,
            shown.rgb,
            shown.opacity,
            self.scene,
            shown.normals,
            tuple(self.snapshots),
        )


def _as_state(snapshot: SnapshotPictures) -> dict[str, Any]:
    """For a checkpoint, which keeps tensors."""
    shown = snapshot.pictures
    kinds = {"rgb": shown.rgb, "opacity": shown.opacity, "normals": shown.normals}
    tensors = {kind: None if values is None else torch.from_numpy(values) for kind, values in kinds.items()}
    return {"step": snapshot.step, "seconds": snapshot.seconds, "azimuth_deg": shown.azimuth_deg, **tensors}


def _restored(state: dict[str, Any]) -> SnapshotPictures:
    kinds = ("rgb", "opacity", "normals")
    arrays: dict[str, Any] = {kind: None if state[kind] is None else state[kind].numpy() for kind in kinds}
    return SnapshotPictures(state["step"], state["seconds"], Pictures(state["azimuth_deg"], **arrays))

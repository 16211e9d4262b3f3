"""One cell from its settings to its outcome: the boundary that no exception leaves."""

from __future__ import annotations

import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime

import numpy as np
import torch

from bench.cell import Cell
from bench.checkpoint import Checkpoint
from bench.divergence import Divergence, Status
from bench.environment import describe_environment
from bench.optimisation import Optimisation, reach, to_device
from bench.record import Failure, Outcome, Record
from bench.telemetry import Clock, Event, MemoryMeter, PhaseSeconds
from methods.contracts import Prior, View
from methods.scenes.cameras import evaluation_ring

#: Called after each step, for progress.
OnStep = Callable[[Event], None]

#: Evaluation views rendered at once: enough to be quick, few enough for a small device.
VIEWS_AT_ONCE = 4


def run_cell(
    cell: Cell,
    prior: Prior,
    *,
    on_step: OnStep | None = None,
    time_limit_seconds: float | None = None,
    checkpoint: Checkpoint | None = None,
) -> Outcome:
    """Optimise and evaluate a cell.  Only an interrupt leaves: any other exception becomes a failure in the record.

    Args:
        cell: What to compute.
        prior: Its diffusion prior, loaded once for many cells.
        on_step: Called with the event of each step.
        time_limit_seconds: Longest time for the steps; None for no limit.
        checkpoint: What the cell goes on from, and where it is saved from time to time.  A cell that was killed
            and goes on ends, on a CPU, with the bits of one that was not.
    """
    run = _Run(cell, prior)
    try:
        with run.clock.phase("prepare"):
            loop = Optimisation(cell, prior)
            run.go_on(loop, checkpoint)
        with run.clock.phase("optimise"):
            run.optimise(loop, on_step, time_limit_seconds, checkpoint)
        with run.clock.phase("evaluate"):
            run.evaluate(loop)
    except Exception as error:  # noqa: BLE001, the cell's boundary: whatever went wrong, the next cell still runs
        run.fail(error)
    return run.outcome()


class _Run:
    """What is known of a cell while it runs."""

    def __init__(self, cell: Cell, prior: Prior) -> None:
        self.cell = cell
        self.prior = prior
        self.device = prior.alphas_cumprod.device
        self.started_at = datetime.now(UTC).isoformat(timespec="seconds")
        self.calls, self.rows = prior.calls, prior.rows
        self.memory = MemoryMeter(self.device)
        self.clock = Clock()
        self.events: list[Event] = []
        self.divergence: Divergence | None = None
        self.failure: Failure | None = None
        self.status = Status.COMPLETED
        side = cell.evaluation.resolution
        self.azimuth_deg: list[float] = []
        self.rgb = np.empty((0, side, side, 3), np.uint8)
        self.opacity = np.empty((0, side, side), np.uint8)
        self.scene: dict[str, torch.Tensor] = {}

    def go_on(self, loop: Optimisation, checkpoint: Checkpoint | None) -> None:
        state = checkpoint.load() if checkpoint else None
        if state is None:
            return
        loop.load_state_dict(state["loop"])
        self.events = [Event.model_validate(event) for event in state["events"]]
        self.clock.seconds = PhaseSeconds.model_validate(state["seconds"])
        self.calls -= state["unet_calls"]
        self.rows -= state["unet_rows"]
        self.started_at = state["started_at"]

    def keep(self, loop: Optimisation, checkpoint: Checkpoint, seconds: float) -> None:
        """Save the optimisation, ``seconds`` into this phase."""
        spent = self.clock.seconds
        checkpoint.save(
            {
                "loop": loop.state_dict(),
                "events": [event.model_dump() for event in self.events],
                "seconds": spent.model_copy(update={"optimise": spent.optimise + seconds}).model_dump(),
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
    ) -> None:
        start = saved = time.perf_counter()
        deadline = start + (time_limit_seconds or float("inf")) - self.clock.seconds.optimise
        for event, divergence in loop:
            self.events.append(event)
            if on_step:
                on_step(event)
            if divergence:
                self.diverge(divergence)
                return
            now = time.perf_counter()
            if now > deadline and len(self.events) < self.cell.steps:
                self.status = Status.TIMEOUT
                message = f"{time_limit_seconds:g} seconds ran out after {len(self.events)} of {self.cell.steps} steps"
                self.failure = Failure(kind="TimeLimit", message=message, traceback="")
                return
            if checkpoint and now - saved >= checkpoint.every_seconds:
                self.keep(loop, checkpoint, now - start)
                saved = now

    @torch.no_grad()
    def evaluate(self, loop: Optimisation) -> None:
        settings = self.cell.evaluation
        ring = evaluation_ring(
            settings.views,
            elevation_deg=settings.elevation_deg,
            distance=settings.distance,
            fovy_deg=settings.fovy_deg,
        )
        rgb, opacity = [], []
        for first in range(0, settings.views, VIEWS_AT_ONCE):
            cameras = to_device(ring, self.device, slice(first, first + VIEWS_AT_ONCE))
            background = torch.full((len(cameras), 3), settings.background, device=self.device)
            rendering = loop.scene.render(cameras, resolution=settings.resolution, background=background)
            rgb.append(View(rendering, cameras, self.prior).rgb.cpu())
            opacity.append(rendering.opacity.cpu())
        self.scene = {name: value.detach().cpu().contiguous() for name, value in loop.scene.state_dict().items()}
        self.azimuth_deg = ring.azimuth_deg.tolist()
        self.rgb = _to_bytes(torch.cat(rgb).permute(0, 2, 3, 1))
        self.opacity = _to_bytes(torch.cat(opacity)[:, 0])
        if self.status is Status.COMPLETED:
            mean = float(torch.cat(opacity).mean())
            filled = mean / reach(loop.radius, ring, settings.resolution)
            divergence = loop.watch.judge_result(len(self.events), opacity=mean, filled=filled)
            if divergence:
                self.diverge(divergence)

    def diverge(self, divergence: Divergence) -> None:
        self.status = divergence.status
        self.divergence = divergence

    def fail(self, error: Exception) -> None:
        # torch's CPU allocator raises a plain RuntimeError
        is_memory = isinstance(error, torch.OutOfMemoryError | MemoryError) or "can't allocate memory" in str(error)
        self.status = Status.OOM if is_memory else Status.CRASHED
        self.failure = Failure(
            kind=type(error).__name__,
            message=" ".join(str(error).split()),
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
            seconds=self.clock.seconds,
            memory=self.memory.read(),
            unet_calls=self.prior.calls - self.calls,
            unet_rows=self.prior.rows - self.rows,
            started_at=self.started_at,
            environment=describe_environment(self.device),
        )
        return Outcome(record, self.events, self.azimuth_deg, self.rgb, self.opacity, self.scene)


def _to_bytes(values: torch.Tensor) -> np.ndarray:
    """Values in [0, 1] to 0 … 255, rounded; NaN becomes 0, so that a broken scene still shows as a picture."""
    scaled = (values.nan_to_num(nan=0.0, posinf=1.0, neginf=0.0).clamp(0.0, 1.0) * 255.0).round()
    return np.asarray(scaled.to(torch.uint8).numpy())

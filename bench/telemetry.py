"""What a cell cost: events by step, time by phase, peak memory, network evaluations."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Literal

import psutil
import torch
from pydantic import Field

from bench.settings import Section


class Event(Section):
    """One step of an optimisation; one line of ``events.jsonl``."""

    step: int
    """Number of the step, from 0."""
    loss: float | None
    """The method's loss, None where it is not a finite number."""
    regularisation: float | None
    """Sum of the scene's weighted penalties, None where it is not a finite number."""
    timestep: float
    """The diffusion timestep that the method used, the mean over the step's views."""
    opacity: float | None
    """Mean opacity of the views, in [0, 1], None where it is not a finite number."""
    seconds: float
    """Wall time of the step."""
    unet_calls: int
    """Network evaluations in the step; a batch counts once."""
    unet_rows: int
    """Batch rows evaluated in the step."""
    diagnostics: dict[str, float | None]
    """What the method says of itself; None where it is not a finite number."""


class PhaseSeconds(Section):
    """Wall time of a cell by phase, seconds."""

    prepare: float = 0.0
    """Scene, streams and text embeddings."""
    optimise: float = 0.0
    """All steps."""
    evaluate: float = 0.0
    """The ring of evaluation views."""
    write: float = 0.0
    """Pictures, scene and events to disk."""

    @property
    def total(self) -> float:
        """All phases together."""
        return self.prepare + self.optimise + self.evaluate + self.write


class StepSeconds(Section):
    """Wall time of an optimisation's steps by part, seconds; on a GPU between events of its stream."""

    warm_up_steps: int = 0
    """First steps, which pay for what later ones find ready; in no other field here."""
    warm_up: float = 0.0
    """Those steps, whole."""
    render: float = 0.0
    """Rendering the views."""
    encode: float = 0.0
    """Views to latents."""
    unet: float = 0.0
    """The prior's network, forward."""
    backward: float = 0.0
    """Gradients of the scene, through renderer and encoder."""
    optimiser: float = 0.0
    """Adam and what the scene does after a step."""
    other: float = 0.0
    """The rest of the steps."""


class Memory(Section):
    """Peak memory of a cell, bytes."""

    kind: Literal["cuda", "rss"]
    """``cuda``: of the device; ``rss``: resident memory of the whole process, libraries and prior included."""
    peak_bytes: int
    """Most allocated (``cuda``) or resident (``rss``)."""
    reserved_bytes: int | None
    """Most reserved by torch's allocator; None on a CPU."""
    process_bytes: int | None = None
    """Most that the process held of the device, libraries included (NVML); None where that is not known."""
    by_phase: dict[str, int] = Field(default_factory=dict)
    """Peak of each phase of ``PhaseSeconds``, counted as ``peak_bytes`` is; on a GPU also ``<phase>_reserved``."""
    since: Literal["cell", "process"]
    """Whether the peak is the cell's, or the process's where the system cannot reset it."""


class Clock:
    """Adds up wall time by phase."""

    def __init__(self) -> None:
        self.seconds = PhaseSeconds()

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Time a ``with`` block as the phase ``name``, also when it raises."""
        start = time.perf_counter()
        try:
            yield
        finally:
            spent = getattr(self.seconds, name) + time.perf_counter() - start
            self.seconds = self.seconds.model_copy(update={name: spent})


class MemoryMeter:
    """Peak memory since the meter was made, on ``device``."""

    def __init__(self, device: torch.device) -> None:
        self._device = device
        self._is_reset = False
        if device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(device)
        else:
            with suppress(OSError):  # Linux: 5 resets the peak resident size (proc(5), clear_refs)
                Path("/proc/self/clear_refs").write_text("5")
                self._is_reset = True

    def read(self) -> Memory:
        """The peak so far."""
        if self._device.type == "cuda":
            return Memory(
                kind="cuda",
                peak_bytes=torch.cuda.max_memory_allocated(self._device),
                reserved_bytes=torch.cuda.max_memory_reserved(self._device),
                since="cell",
            )
        peak = _peak_resident_bytes()
        return Memory(kind="rss", peak_bytes=peak, reserved_bytes=None, since="cell" if self._is_reset else "process")


def _peak_resident_bytes() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    info = psutil.Process().memory_info()
    return int(getattr(info, "peak_wset", info.rss))  # Windows keeps a peak; elsewhere the present size stands in

"""The costs of a cell: events by step, time by phase, peak memory, network evaluations."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Literal

import psutil
import torch
from pydantic import Field

from bench.study.section import Section
from bench.watch.nvml import Nvml


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
    log_snr: float | None = None
    """log(α_t²/σ_t²) at that timestep under the cell's prior, the mean over the step's views; None in older records."""
    opacity: float | None
    """Mean opacity of the views, in [0, 1], None where it is not a finite number."""
    seconds: float
    """Wall time of the step."""
    unet_calls: int
    """Network evaluations in the step; a batch counts once."""
    unet_rows: int
    """Batch rows evaluated in the step."""
    diagnostics: dict[str, float | None]
    """Further scalars of the method and the scene; None where one is not a finite number."""


class PhaseSeconds(Section):
    """Wall time of a cell by phase, seconds."""

    prepare: float = 0.0
    """Scene, streams and text embeddings."""
    optimise: float = 0.0
    """All steps."""
    evaluate: float = 0.0
    """The ring of evaluation views, and snapshots on the way."""
    write: float = 0.0
    """Images, scene, events and checkpoints to disk."""

    @property
    def total(self) -> float:
        """All phases together."""
        return self.prepare + self.optimise + self.evaluate + self.write


class StepSeconds(Section):
    """Wall time of an optimisation's steps by part, seconds (:class:`bench.watch.step_clock.StepClock`)."""

    warm_up_steps: int = 0
    """First steps of each process, which pay for what later ones find ready; in no other field here."""
    warm_up: float = 0.0
    """Those steps, whole."""
    render: float = 0.0
    """Rendering the views."""
    encode: float = 0.0
    """Views to latents."""
    unet: float = 0.0
    """The prior's network and its adapted copy's, forward."""
    backward: float = 0.0
    """Gradients of the scene, through renderer and encoder."""
    optimiser: float = 0.0
    """Adam and what the scene does after a step."""
    other: float = 0.0
    """The rest: texts, the method's own arithmetic and training, reading the step's numbers."""


#: Phases whose memory belongs to the arm: text encoders, which the preparation has on a GPU for the first arm of a
#: prompt only, are dropped before them.
_OF_THE_ARM = ("optimise", "evaluate")


class Memory(Section):
    """Peak memory of a cell, bytes."""

    kind: Literal["cuda", "rss"]
    """``cuda``: of the device; ``rss``: resident memory of the whole process, libraries and prior included."""
    peak_bytes: int
    """Most allocated (``cuda``) or resident (``rss``) in all phases: what the cell needs to run."""
    reserved_bytes: int | None
    """Most reserved by torch's allocator in all phases; None on a CPU."""
    process_bytes: int | None = None
    """Most that the process held of the device, libraries included (NVML); None where that is not known."""
    by_phase: dict[str, int] = Field(default_factory=dict)
    """Peak of each phase of ``PhaseSeconds``, counted as ``peak_bytes`` is; on a GPU also ``<phase>_reserved``, and
    without what the process held before the cell but for the cell's prior."""
    since: Literal["cell", "process"]
    """Whether the peak is the cell's, or the process's where the system cannot reset it."""

    @property
    def arm_bytes(self) -> int:
        """Peak to compare arms by: on a GPU that of optimisation and evaluation, whichever arm ran first."""
        return self._of_the_arm("", self.peak_bytes)

    @property
    def arm_reserved_bytes(self) -> int | None:
        """Most reserved by torch's allocator in the same phases; None on a CPU."""
        return None if self.reserved_bytes is None else self._of_the_arm("_reserved", self.reserved_bytes)

    def _of_the_arm(self, suffix: str, whole: int) -> int:
        """The peak of the arm's phases; ``whole`` for a cell that ended before them, or on a CPU."""
        found = [self.by_phase[name + suffix] for name in _OF_THE_ARM if name + suffix in self.by_phase]
        return max(found) if found and self.kind == "cuda" else whole


class PhaseMeter(ABC):
    """A meter that charges what it measures to phases; an inner phase is not counted in the outer one."""

    def __init__(self) -> None:
        self._running: list[str] = []

    @property
    def _phase(self) -> str | None:
        """The innermost phase that is running."""
        return self._running[-1] if self._running else None

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Charge a ``with`` block to the phase ``name``, also when it raises."""
        self._charge()
        self._running.append(name)
        try:
            yield
        finally:
            self._charge()
            self._running.pop()

    @abstractmethod
    def _charge(self) -> None:
        """Charge what was measured since the last time to the phase that is running."""


class Clock(PhaseMeter):
    """Adds up wall time by phase."""

    def __init__(self) -> None:
        super().__init__()
        self._seconds = PhaseSeconds()
        self._since = 0.0

    @property
    def seconds(self) -> PhaseSeconds:
        """Up to now, the phase that is running included."""
        self._charge()
        return self._seconds

    def state_dict(self) -> dict[str, Any]:
        """Seconds by phase, for :meth:`load_state_dict`."""
        return self.seconds.model_dump()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the seconds of ``state``; the time of the running phase before this is dropped."""
        self._seconds = PhaseSeconds.model_validate(state)
        self._since = time.perf_counter()

    def _charge(self) -> None:
        now = time.perf_counter()
        if self._phase:
            spent = getattr(self._seconds, self._phase) + now - self._since
            self._seconds = self._seconds.model_copy(update={self._phase: spent})
        self._since = now


class MemoryMeter(PhaseMeter):
    """Peak memory since the meter was made, on ``device``, in all and by phase.

    Args:
        device: What the cell is computed on.
        gpu: Its NVML, which is asked at both ends of a phase what the process holds; None to leave that out.
        own_bytes: What the cell's prior takes of a GPU; the rest of what is allocated when the meter is made, such as
            the prior of other arms, is not counted in phases.  None to count all of it.
    """

    def __init__(self, device: torch.device, gpu: Nvml | None = None, own_bytes: int | None = None) -> None:
        self._device = device
        self._gpu = gpu
        super().__init__()
        self._is_reset = False
        self._peaks: dict[str, int] = {}  # by the name of the field, or of the phase
        self._others = 0
        if device.type == "cuda":
            torch.cuda.empty_cache()  # what the cell before left reserved is not this one's
            if own_bytes is not None:
                self._others = max(0, torch.cuda.memory_allocated(device) - own_bytes)
        self._reset()

    def state_dict(self) -> dict[str, int]:
        """The peaks so far, for :meth:`load_state_dict`."""
        self._charge()
        return dict(self._peaks)

    def load_state_dict(self, state: Mapping[str, int]) -> None:
        """Raise the peaks to at least those of ``state``, which the same cell had in another process."""
        self._raise_to(state)

    def read(self) -> Memory:
        """The peaks so far."""
        self._charge()
        peaks = dict(self._peaks)
        whole = {name: peaks.pop(name, None) for name in ("peak", "reserved", "process")}
        on_gpu = self._device.type == "cuda"
        return Memory(
            kind="cuda" if on_gpu else "rss",
            peak_bytes=whole["peak"] or 0,
            reserved_bytes=whole["reserved"],
            process_bytes=whole["process"],
            by_phase=peaks,
            since="cell" if on_gpu or self._is_reset else "process",
        )

    def _charge(self) -> None:
        """Charge the peak since the last time to the phase that is running, and start again from zero."""
        phase = self._phase
        if self._device.type == "cuda":
            peak = torch.cuda.max_memory_allocated(self._device)
            reserved = torch.cuda.max_memory_reserved(self._device)
            self._raise_to({"peak": peak, "reserved": reserved})
            own = {phase: peak - self._others, f"{phase}_reserved": reserved - self._others} if phase else {}
            self._raise_to(own)
        else:
            peak = _peak_resident_bytes()
            self._raise_to({"peak": peak} | ({phase: peak} if phase else {}))
        held = self._gpu.process_bytes() if self._gpu else None
        self._raise_to({} if held is None else {"process": held})
        self._reset()

    def _raise_to(self, peaks: Mapping[str, int]) -> None:
        self._peaks |= {name: max(size, self._peaks.get(name, 0)) for name, size in peaks.items()}

    def _reset(self) -> None:
        if self._device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self._device)
        else:
            with suppress(OSError):  # Linux: 5 resets the peak resident size (proc(5), clear_refs)
                Path("/proc/self/clear_refs").write_text("5")
                self._is_reset = True


def _peak_resident_bytes() -> int:
    with suppress(OSError):
        for line in Path("/proc/self/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    info = psutil.Process().memory_info()
    return int(getattr(info, "peak_wset", info.rss))  # Windows keeps a peak; elsewhere the present size stands in

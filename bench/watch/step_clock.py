"""The time of an optimisation's steps by part, measured without waiting for the device."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, Literal

import torch

from bench.watch.telemetry import StepSeconds

#: Steps of a process that pay for what later ones find ready: kernels compiled and chosen, memory taken, files read.
WARM_UP_STEPS: Final = 3

Part = Literal["render", "encode", "unet", "backward", "optimiser"]

#: A moment: of the host's clock in seconds, or of the stream of a GPU.
_Mark = float | torch.cuda.Event


class StepClock:
    """Adds up the time of steps by part.

    On a GPU a part lies between two events of its stream, on a CPU between two looks at the clock.  The first
    ``WARM_UP_STEPS`` are kept apart, also those of a cell that goes on in another process.

    Args:
        device: What the steps are computed on.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds = StepSeconds()
        self._device = device
        self._steps = 0
        self._marks: list[tuple[Part, _Mark, _Mark]] = []

    def state_dict(self) -> dict[str, Any]:
        """Seconds by part, for :meth:`load_state_dict`."""
        return self.seconds.model_dump()

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Continue from the seconds of ``state``; the next steps are a warm-up again."""
        self.seconds = StepSeconds.model_validate(state)

    def start_step(self) -> None:
        """Forget parts of a step that did not come to its end."""
        self._marks.clear()

    @contextmanager
    def part(self, name: Part) -> Iterator[None]:
        """Put a ``with`` block of the step down to ``name``; parts do not contain each other."""
        start = self._mark()
        yield
        self._marks.append((name, start, self._mark()))

    def end_step(self, seconds: float) -> None:
        """Add the step up.

        Args:
            seconds: Wall time of the step, at whose end the host has waited for the device: then all events are past,
                and reading them waits for nothing.
        """
        self._steps += 1
        spent = self.seconds.model_dump()
        if self._steps <= WARM_UP_STEPS:
            spent["warm_up_steps"] += 1
            spent["warm_up"] += seconds
        else:
            spent["other"] += seconds
            for name, start, end in self._marks:
                part = _between(start, end)
                spent[name] += part
                spent["other"] -= part
        self.seconds = StepSeconds(**spent)

    def _mark(self) -> _Mark:
        if self._device.type != "cuda":
            return time.perf_counter()
        event = torch.cuda.Event(enable_timing=True)
        event.record(torch.cuda.current_stream(self._device))
        return event


def _between(start: _Mark, end: _Mark) -> float:
    if isinstance(start, float) and isinstance(end, float):
        return end - start
    return float(start.elapsed_time(end)) / 1000  # type: ignore[union-attr, arg-type]  # both are events

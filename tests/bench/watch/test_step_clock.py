from __future__ import annotations

import itertools
from typing import Any

import pytest
import torch

import bench.watch.step_clock
from bench.watch.step_clock import WARM_UP_STEPS, StepClock
from bench.watch.telemetry import StepSeconds


def test_steps_add_up_by_part_and_the_first_ones_stand_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = itertools.count()  # every look at the clock is a second after the last
    monkeypatch.setattr(bench.watch.step_clock.time, "perf_counter", lambda: float(next(ticks)))
    clock = StepClock(torch.device("cpu"))
    for _ in range(WARM_UP_STEPS + 2):
        clock.start_step()
        for name in ("render", "unet", "unet"):
            with clock.part(name):
                pass
        clock.end_step(10.0)
    assert clock.seconds == StepSeconds(
        warm_up_steps=WARM_UP_STEPS, warm_up=10.0 * WARM_UP_STEPS, render=2.0, unet=4.0, other=14.0
    )


def test_a_short_cell_is_all_warm_up() -> None:
    clock = StepClock(torch.device("cpu"))
    clock.end_step(1.0)
    assert clock.seconds == StepSeconds(warm_up_steps=1, warm_up=1.0)


def test_a_cell_that_goes_on_warms_up_again() -> None:
    clock = StepClock(torch.device("cpu"))
    clock.load_state_dict(StepSeconds(warm_up_steps=3, warm_up=9.0, other=5.0).model_dump())
    clock.end_step(2.0)
    assert clock.seconds == StepSeconds(warm_up_steps=4, warm_up=11.0, other=5.0)


def test_parts_of_a_step_that_failed_are_no_part_of_the_next() -> None:
    clock = StepClock(torch.device("cpu"))
    for _ in range(WARM_UP_STEPS):
        clock.end_step(0.0)
    with clock.part("unet"):
        pass
    clock.start_step()
    clock.end_step(1.0)
    assert (clock.seconds.unet, clock.seconds.other) == (0.0, 1.0)


class _Stream:
    """A stream of a GPU whose work is done when the host waits for it."""

    def __init__(self) -> None:
        self.now_ms = 0.0
        self.waited = False


class _Event:
    """As ``torch.cuda.Event``: its time is known once it is past."""

    def __init__(self, *, enable_timing: bool) -> None:
        assert enable_timing

    def record(self, stream: _Stream) -> None:
        self.stream, self.at_ms = stream, stream.now_ms

    def elapsed_time(self, end: _Event) -> float:
        assert self.stream.waited, "read before the step's numbers were"
        return end.at_ms - self.at_ms


def test_on_a_gpu_time_lies_between_events_that_are_read_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = _Stream()
    monkeypatch.setattr(torch.cuda, "Event", _Event)
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: stream)

    def wait(*_: Any) -> None:
        raise AssertionError("a step waits for its numbers only")

    monkeypatch.setattr(torch.cuda, "synchronize", wait)
    clock = StepClock(torch.device("cuda", 0))
    for _ in range(WARM_UP_STEPS + 1):
        clock.start_step()
        with clock.part("encode"):
            stream.now_ms += 250.0
        with clock.part("backward"):
            stream.now_ms += 500.0
        stream.waited = True
        clock.end_step(1.0)
        stream.waited = False
    assert clock.seconds.model_dump(exclude={"warm_up_steps", "warm_up"}) == {
        "render": 0.0, "encode": 0.25, "unet": 0.0, "backward": 0.5, "optimiser": 0.0, "other": 0.25,
    }  # fmt: skip

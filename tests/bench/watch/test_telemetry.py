from __future__ import annotations

import time
from contextlib import suppress
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from bench.watch.telemetry import Clock, Memory, MemoryMeter, PhaseSeconds


def test_clock_adds_up_and_keeps_the_time_of_a_phase_that_fails() -> None:
    clock = Clock()
    with clock.phase("optimise"):
        time.sleep(0.01)
    with suppress(ZeroDivisionError), clock.phase("optimise"):
        time.sleep(0.01)
        _ = 1 / 0
    assert clock.seconds.optimise >= 0.02
    assert clock.seconds.total == clock.seconds.optimise


def test_peak_memory_is_of_the_cell_not_of_the_moment() -> None:
    meter = MemoryMeter(torch.device("cpu"))
    before = meter.read().peak_bytes
    block = np.ones(64 * 2**20, dtype=np.uint8)
    del block
    memory = meter.read()
    assert memory.kind == "rss"
    assert memory.peak_bytes >= before + 60 * 2**20
    if memory.since == "cell":  # where the system can reset the peak, the next cell starts afresh
        assert MemoryMeter(torch.device("cpu")).read().peak_bytes < memory.peak_bytes


def test_a_phase_inside_another_one_is_no_part_of_it() -> None:
    clock = Clock()
    with clock.phase("optimise"):
        time.sleep(0.01)
        with clock.phase("evaluate"):
            time.sleep(0.05)
        assert 0.01 <= clock.seconds.optimise < 0.05  # readable while it runs
    assert clock.seconds.evaluate >= 0.05
    assert clock.seconds.optimise < 0.05


def test_a_clock_continues_in_another_process() -> None:
    clock = Clock()
    with clock.phase("prepare"):
        clock.load_state_dict(PhaseSeconds(prepare=1.0, optimise=20.0).model_dump())
    assert clock.seconds.optimise == 20.0
    assert 1.0 <= clock.seconds.prepare < 1.1


def test_a_peak_belongs_to_the_phase_that_has_it() -> None:
    meter = MemoryMeter(torch.device("cpu"))
    with meter.phase("prepare"):
        pass
    with meter.phase("optimise"):
        block = np.ones(64 * 2**20, dtype=np.uint8)
        del block
        with meter.phase("evaluate"):
            pass
    memory = meter.read()
    assert memory.by_phase.keys() == {"prepare", "optimise", "evaluate"}
    assert memory.peak_bytes == max(memory.by_phase.values()) == memory.by_phase["optimise"]
    if memory.since == "cell":
        assert memory.by_phase["optimise"] >= memory.by_phase["evaluate"] + 50 * 2**20
    assert (memory.reserved_bytes, memory.process_bytes) == (None, None)


def test_peaks_continue_in_another_process() -> None:
    before, meter = MemoryMeter(torch.device("cpu")), MemoryMeter(torch.device("cpu"))
    before.load_state_dict({"peak": 2**50, "process": 7, "optimise": 2**50})
    meter.load_state_dict(before.state_dict())
    with meter.phase("evaluate"):
        pass
    found = meter.read()
    assert (found.peak_bytes, found.process_bytes, found.by_phase["optimise"]) == (2**50, 7, 2**50)
    assert found.by_phase["evaluate"] < 2**50


class _FakeAllocator:
    """Torch's counters of a GPU, all of whose memory is allocated at once and kept reserved."""

    def __init__(self) -> None:
        self.allocated = self.peak = self.reserved = 0

    def allocate(self, size: int) -> None:
        self.allocated += size
        self.peak, self.reserved = max(self.peak, self.allocated), max(self.reserved, self.allocated)

    def reset(self, _device: torch.device) -> None:
        self.peak = self.allocated


def test_arms_are_compared_without_the_memory_of_text_encoders() -> None:
    """They are on a GPU for the first arm of a prompt only; whether a cell fits depends on them all the same."""
    by_phase = {"prepare": 17, "prepare_reserved": 18, "optimise": 9, "optimise_reserved": 11, "evaluate": 7}
    on_gpu = Memory(kind="cuda", peak_bytes=17, reserved_bytes=18, by_phase=by_phase, since="cell")
    assert (on_gpu.arm_bytes, on_gpu.arm_reserved_bytes, on_gpu.peak_bytes) == (9, 11, 17)
    ended_early = on_gpu.model_copy(update={"by_phase": {"prepare": 17, "prepare_reserved": 18}})
    assert (ended_early.arm_bytes, ended_early.arm_reserved_bytes) == (17, 18)
    on_cpu = Memory(kind="rss", peak_bytes=17, reserved_bytes=None, by_phase=by_phase, since="cell")
    assert (on_cpu.arm_bytes, on_cpu.arm_reserved_bytes) == (17, None)


def test_on_a_gpu_peaks_are_allocated_and_reserved_by_phase(monkeypatch: pytest.MonkeyPatch) -> None:
    fake = _FakeAllocator()
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", fake.reset)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: fake.peak)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: fake.reserved)
    meter = MemoryMeter(torch.device("cuda", 0), SimpleNamespace(process_bytes=lambda: fake.reserved + 500))
    with meter.phase("prepare"):
        fake.allocate(10)
    with meter.phase("optimise"):
        fake.allocate(100)
        fake.allocate(-90)
    with meter.phase("evaluate"):
        fake.allocate(30)
    memory = meter.read()
    assert (memory.kind, memory.peak_bytes, memory.reserved_bytes, memory.process_bytes) == ("cuda", 110, 110, 610)
    assert memory.by_phase == {
        "prepare": 10, "prepare_reserved": 10, "optimise": 110, "optimise_reserved": 110,
        "evaluate": 50, "evaluate_reserved": 110,
    }  # fmt: skip


def test_on_a_gpu_phases_are_without_what_other_priors_hold(monkeypatch: pytest.MonkeyPatch) -> None:
    """Arms of two priors take turns in a process, and each would have the weights of both."""
    fake = _FakeAllocator()
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", fake.reset)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: fake.allocated)
    monkeypatch.setattr(torch.cuda, "max_memory_allocated", lambda device: fake.peak)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda device: fake.reserved)
    fake.allocate(1000)
    meter = MemoryMeter(torch.device("cuda", 0), own_bytes=300)
    with meter.phase("optimise"):
        fake.allocate(50)
    memory = meter.read()
    assert (memory.peak_bytes, memory.arm_bytes, memory.arm_reserved_bytes) == (1050, 350, 350)

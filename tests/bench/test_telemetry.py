from __future__ import annotations

import time
from contextlib import suppress

import numpy as np
import torch

from bench.telemetry import Clock, MemoryMeter


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

"""The cost of a step at each size of the render, and whether it is the same twice."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch

from bench.cells.optimisation import Optimisation
from bench.cells.torch_settings import torch_settings
from bench.study.cell import Cell
from bench.study.settings import RenderSettings
from bench.validation.result import Check
from bench.watch.step_clock import WARM_UP_STEPS
from bench.watch.telemetry import MemoryMeter
from methods.contracts import Prior

#: Steps that are timed after the warm-up.
_STEPS = 3


def check_cost(cell: Cell, prior: Prior, sides: Sequence[int]) -> Check:
    """Seconds by part of a step and peak memory, at each of ``sides``, pixels."""
    values: dict[str, float | str | None] = {}
    for side in sides:
        meter = MemoryMeter(prior.device)
        loop = Optimisation(cell.model_copy(update={"render": RenderSettings(resolution=side)}), prior)
        for step in range(WARM_UP_STEPS + _STEPS):
            event = loop.step(step).event
        parts = loop.clock.seconds.model_dump(exclude={"warm_up", "warm_up_steps"})
        values |= {f"{side}²: {part}, s": spent / _STEPS for part, spent in parts.items()}
        values[f"{side}²: whole step, s"] = sum(parts.values()) / _STEPS
        values[f"{side}²: peak memory, GiB"] = meter.read().peak_bytes / 2**30
        values |= {f"{side}²: {name}": value for name, value in event.diagnostics.items()}
    note = f"{_STEPS} steps of {cell.label} after a warm-up of {WARM_UP_STEPS}"
    return Check(passed=None, note=note, values=values)


def check_determinism(cell: Cell, prior: Prior) -> Check:
    """Whether two steps from the same start make the same scene; a CPU must, some kernels of a GPU cannot."""
    scenes = []
    with torch_settings(torch.get_num_threads()):
        for _ in range(2):
            loop = Optimisation(cell, prior)
            for step in range(2):
                loop.step(step)
            scenes.append(torch.cat([value.detach().flatten() for value in loop.scene.parameters()]))
    difference = float((scenes[0] - scenes[1]).abs().max())
    must = prior.device.type == "cpu"
    return Check(
        passed=difference == 0 if must else math.isfinite(difference),
        note="largest difference of a parameter after two steps, run twice; right on a CPU: 0",
        values={"largest difference": difference if math.isfinite(difference) else None},
    )

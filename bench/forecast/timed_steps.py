"""Cost of a cell from a few of its steps, which are taken here and dropped."""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

from bench.cells.evaluation import VIEWS_AT_ONCE, render_ring
from bench.cells.optimisation import Optimisation
from bench.study.cell import Cell
from bench.study.settings import RenderSettings
from bench.watch.telemetry import Memory, MemoryMeter
from methods.contracts import Prior

#: Points of a stage at which steps are timed, as shares of it: methods that anneal change their cost.
_SHARES = (1 / 2, 1 / 6, 5 / 6)

#: Bytes of a pixel in the images of a view: colours, opacity, normals.
_IMAGE_BYTES = 3 + 1 + 3


class Timed(NamedTuple):
    """Forecast cost of a whole cell."""

    seconds: float
    memory: Memory
    disk_bytes: int  # an upper bound: images are counted without PNG's compression
    is_cut_short: bool  # whether time ran out before all steps were timed


class Stage(NamedTuple):
    """A part of the optimisation that renders at one resolution."""

    start: float  # progress, in [0, 1)
    end: float  # progress, in (0, 1]
    side: int  # pixels


def time_cell(cell: Cell, prior: Prior, *, seconds: float) -> Timed:
    """Take steps of each stage of ``cell`` and render some of its views.

    The scene stays near its initial state, so that later steps of an emptier scene may cost less.

    Args:
        cell: The cell.
        prior: Its prior, loaded.
        seconds: Time after which no further step is started; a stage without a timed step then counts as costly as
            the next larger one.
    """
    meter = MemoryMeter(prior.device)
    start = time.perf_counter()
    loop = Optimisation(cell, prior)
    prepare = time.perf_counter() - start
    by_stage, event_bytes, is_cut_short = _time_stages(loop, start + seconds)
    evaluate = views_of(cell) * _time_views(loop, 1 if is_cut_short else VIEWS_AT_ONCE)
    step = sum((stage.end - stage.start) * statistics.mean(times) for stage, times in by_stage.items())
    scene = sum(value.numel() * value.element_size() for value in loop.scene.state_dict().values())
    return Timed(
        seconds=prepare + cell.steps * step + evaluate,
        memory=meter.read(),
        disk_bytes=disk_bytes(cell, scene, event_bytes),
        is_cut_short=is_cut_short,
    )


def views_of(cell: Cell) -> int:
    """Number of views that a cell renders to show them: those that are scored, and the snapshots."""
    shown = cell.evaluation
    return shown.views + len(shown.snapshot_steps(cell.steps)) * len(shown.snapshot_places())


def disk_bytes(cell: Cell, scene_bytes: int, event_bytes: int) -> int:
    """Bytes of a cell's record; its images are counted without PNG's compression.

    Args:
        cell: The cell.
        scene_bytes: Bytes of its scene.
        event_bytes: Bytes of the event of one step.
    """
    return scene_bytes + views_of(cell) * cell.evaluation.resolution**2 * _IMAGE_BYTES + cell.steps * event_bytes


def stages(render: RenderSettings) -> list[Stage]:
    """The stages of an optimisation, the one of the largest renders first."""
    steps = ((0.0, render.resolution),) if isinstance(render.resolution, int) else render.resolution
    ends = [*(start for start, _ in steps[1:]), 1.0]
    found = [Stage(start, end, side) for (start, side), end in zip(steps, ends, strict=True) if end > start]
    return sorted(found, key=lambda stage: -stage.side)


def _time_stages(loop: Optimisation, deadline: float) -> tuple[dict[Stage, list[float]], int, bool]:
    """Seconds of steps of each stage, bytes of an event, and whether some steps were left out."""
    order = stages(loop.cell.render)
    times: dict[Stage, list[float]] = {}
    event_bytes, last = 0, loop.cell.steps - 1
    for share in _SHARES:
        for stage in order:
            if times and time.perf_counter() > deadline:
                costliest = next(iter(times.values()))
                return {**dict.fromkeys(order, costliest), **times}, event_bytes, True
            step = round((stage.start + share * (stage.end - stage.start)) * last)
            event = loop.step(step).event
            if stage not in times and time.perf_counter() < deadline:
                event = loop.step(step).event  # the first step was a warm-up
            times.setdefault(stage, []).append(event.seconds)
            event_bytes = max(event_bytes, len(event.model_dump_json()) + 1)
    return times, event_bytes, False


def _time_views(loop: Optimisation, at_once: int) -> float:
    """Seconds for one evaluation view, from some of them that are rendered ``at_once``."""
    which = range(min(at_once, loop.cell.evaluation.views))
    start = time.perf_counter()
    render_ring(loop, which)
    return (time.perf_counter() - start) / len(which)

"""A cell's cost from a few of its steps, taken here and thrown away."""

from __future__ import annotations

import statistics
import time
from typing import NamedTuple

import torch

from bench.cell import Cell
from bench.optimisation import Optimisation, to_device
from bench.run_cell import VIEWS_AT_ONCE
from bench.settings import RenderSettings
from bench.telemetry import Memory, MemoryMeter
from methods.contracts import Prior, View
from methods.scenes.cameras import evaluation_ring

#: Where steps of a stage are timed, as shares of it: methods that anneal change their cost on the way.
_SHARES = (1 / 2, 1 / 6, 5 / 6)


class Timed(NamedTuple):
    """What a whole cell will take."""

    seconds: float
    memory: Memory
    disk_bytes: int  # at most: pictures are counted as they are before PNG makes them smaller
    is_cut_short: bool  # whether time ran out before all steps were timed


class Stage(NamedTuple):
    """A part of the optimisation that renders at one resolution."""

    start: float  # progress, in [0, 1)
    end: float  # progress, in (0, 1]
    side: int  # pixels


def time_cell(cell: Cell, prior: Prior, *, seconds: float) -> Timed:
    """Take steps of each stage of ``cell`` and render some of its views.

    The scene stays near its beginning, so that what depends on how full space is may cost less later.

    Args:
        cell: What is to be forecast.
        prior: Its prior, loaded.
        seconds: After this time no further step is begun; a stage that none was timed of then counts as costly as the
            next larger one.
    """
    meter = MemoryMeter(prior.alphas_cumprod.device)
    start = time.perf_counter()
    loop = Optimisation(cell, prior)
    prepare = time.perf_counter() - start
    by_stage, event_bytes, is_cut_short = _time_stages(loop, start + seconds)
    evaluate = _time_views(loop, 1 if is_cut_short else VIEWS_AT_ONCE)
    step = sum((stage.end - stage.start) * statistics.mean(times) for stage, times in by_stage.items())
    scene = sum(value.numel() * value.element_size() for value in loop.scene.state_dict().values())
    pictures = cell.evaluation.views * cell.evaluation.resolution**2 * 4
    return Timed(
        seconds=prepare + cell.steps * step + evaluate,
        memory=meter.read(),
        disk_bytes=scene + pictures + cell.steps * event_bytes,
        is_cut_short=is_cut_short,
    )


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
            event = loop.take(step).event
            if stage not in times and time.perf_counter() < deadline:
                event = loop.take(step).event  # the first one paid for what this one found ready
            times.setdefault(stage, []).append(event.seconds)
            event_bytes = max(event_bytes, len(event.model_dump_json()) + 1)
    return times, event_bytes, False


@torch.no_grad()
def _time_views(loop: Optimisation, at_once: int) -> float:
    """Seconds for the ring of evaluation views, from some of them that are rendered ``at_once``."""
    settings = loop.cell.evaluation
    start = time.perf_counter()
    ring = evaluation_ring(min(at_once, settings.views), distance=settings.distance, fovy_deg=settings.fovy_deg)
    cameras = to_device(ring, loop.device)
    background = torch.full((len(cameras), 3), settings.background, device=loop.device)
    rendering = loop.scene.render(cameras, resolution=settings.resolution, background=background)
    View(rendering, cameras, loop.prior).rgb.cpu()
    return (time.perf_counter() - start) * settings.views / len(cameras)

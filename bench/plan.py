"""The stage ``plan``: how many cells a study has, and what it will cost in time and memory."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.table import Table

from bench.cell import Cell
from bench.engines.board import duration
from bench.engines.work import torch_settings
from bench.expand import cached_prior, expand
from bench.optimisation import Optimisation, to_device
from bench.record import Record
from bench.store import RunStore
from bench.study import Study
from bench.telemetry import MemoryMeter
from methods.contracts import Prior
from methods.scenes.cameras import evaluation_ring

#: Where steps are timed, as shares of an optimisation: methods that anneal cost more at its start.
_SAMPLED_PROGRESS = (0.0, 0.5, 1.0)


@dataclass(frozen=True)
class Forecast:
    """What one cell of a method costs."""

    seconds: float
    peak_bytes: int
    source: str  # "3 records" or "timed steps"


def print_plan(study: Study, store: RunStore, console: Console) -> None:
    """Print cells done and missing with a forecast; writes nothing.

    Finished cells of the same method are the forecast where there are any; else a few steps are timed here.

    Raises:
        InputError: If the folder holds another study or a corrupt record, or the study names something unknown.
    """
    store.check(study)
    cells = expand(study)
    table = Table("method", "cells", "done", "missing", "time per cell", "time left", "peak memory", "forecast from")
    left = 0.0
    peak = 0
    missing_in_all = 0
    for label in study.methods:
        mine = [cell for cell in cells if cell.label == label]
        records = [record for cell in mine if (record := store.read(cell))]
        forecast = _from_records(records) or _measured(mine[0], study)
        missing = len(mine) - len(records)
        missing_in_all += missing
        left += missing * forecast.seconds
        peak = max(peak, forecast.peak_bytes)
        counts = (str(len(mine)), str(len(records)), str(missing))
        times = (duration(forecast.seconds), duration(missing * forecast.seconds))
        table.add_row(label, *counts, *times, _gibibytes(forecast.peak_bytes), forecast.source)
    done = len(cells) - missing_in_all
    table.add_section()
    table.add_row("all", str(len(cells)), str(done), str(missing_in_all), "", duration(left), _gibibytes(peak), "")
    console.print(f"{study.name}: {study.title}, run folder {store.folder}", highlight=False)
    console.print(table)


def _from_records(records: list[Record]) -> Forecast | None:
    whole = [record for record in records if record.steps_done == record.cell.steps]
    if not whole:
        return None
    return Forecast(
        seconds=statistics.median(record.seconds.total for record in whole),
        peak_bytes=max(record.memory.peak_bytes for record in whole),
        source=f"{len(whole)} record{'s' * (len(whole) > 1)}",
    )


def _measured(cell: Cell, study: Study) -> Forecast:
    with torch_settings(study.threads):
        prior = cached_prior(study.prior)
        meter = MemoryMeter(prior.alphas_cumprod.device)
        return _time_steps(cell, prior, meter)


def _time_steps(cell: Cell, prior: Prior, meter: MemoryMeter) -> Forecast:
    start = time.perf_counter()
    loop = Optimisation(cell, prior)
    prepare = time.perf_counter() - start
    loop.take(0)  # the first step pays for what later ones find ready
    steps = [round(share * (cell.steps - 1)) for share in _SAMPLED_PROGRESS]
    step_seconds = statistics.mean(loop.take(step).event.seconds for step in steps)
    start = time.perf_counter()
    with torch.no_grad():
        loop.scene.render(
            to_device(evaluation_ring(1), loop.device),
            resolution=cell.evaluation.resolution,
            background=torch.ones(1, 3, device=loop.device),
        )
    evaluate = (time.perf_counter() - start) * cell.evaluation.views
    return Forecast(prepare + step_seconds * cell.steps + evaluate, meter.read().peak_bytes, "timed steps")


def _gibibytes(count: int) -> str:
    return f"{count / 2**30:.2f} GiB"

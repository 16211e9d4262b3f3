"""A step of every row of table 1 with networks of Stable Diffusion's own size, on a GPU, or on a CPU in an hour."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from rich.console import Console
from rich.table import Table

from bench.cells.evaluation import render_ring
from bench.cells.optimisation import Optimisation
from bench.cells.torch_settings import torch_settings
from bench.forecast.estimate import Estimator
from bench.forecast.gpus import gpu_named
from bench.forecast.timed_steps import stages
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.settings import PriorChoice
from bench.study.study import load_study
from bench.watch.step_clock import StepClock
from bench.watch.telemetry import MemoryMeter
from methods.priors.pipeline.architecture import Architecture
from methods.priors.pipeline.stable_diffusion import SD21

on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*does not have a deterministic implementation"),
    pytest.mark.timeout(7200),
]

#: Where in an optimisation steps are taken, as progress: t falls in SDI's, and VSD's and ESD's renders grow.  Those of
#: a CPU cost minutes each.
PLACES = {"cuda": [0.9, 0.9, 0.9, 0.99, 0.7, 0.5, 0.3, 0.0], "cpu": [0.5]}

#: The columns of a step's seconds.
PARTS = ("render", "encode", "unet", "backward", "optimiser", "other")


def rows(prior: Any) -> Iterator[Cell]:
    """A cell of each row."""
    study = load_study("table1").narrow(prompt_ids=["hamburger"])
    yield from expand(study.model_copy(update={"prior": PriorChoice(name=prior.name), "scorers": "sd21"}))


@pytest.mark.parametrize(
    "device",
    [pytest.param("cuda", id="cuda", marks=on_gpu), pytest.param("cpu", id="cpu", marks=pytest.mark.full_size)],
)
def test_every_row_of_table_1_takes_steps(
    full_size_prior: Any, device: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar on a GPU: at most 20 GB.  Every parameter must stay a finite number."""
    if device == "cpu":
        monkeypatch.setattr("bench.watch.step_clock.WARM_UP_STEPS", 0)
    table = Table("row", "side", "s", *PARTS, "UNet rows", "GB", "samples/ray", "estimated s", "view s")
    gpu = gpu_named(torch.cuda.get_device_name()) if device == "cuda" else None
    estimate = Estimator(Architecture.of_file(SD21.shapes), gpu) if gpu else None
    peaks, failures = {}, {}
    for cell in rows(full_size_prior):
        try:  # a row that fails hides none of the others
            numbers = _take_steps(cell, full_size_prior, PLACES[device])
        except (RuntimeError, ArithmeticError) as error:
            failures[cell.label] = f"{type(error).__name__}: {error}"
            continue
        peaks[cell.label] = numbers[len(PARTS) + 2]
        numbers.insert(-1, estimate(cell).step.seconds if estimate else float("nan"))
        table.add_row(cell.label, str(stages(cell.render)[0].side), *(f"{each:.3f}" for each in numbers))
    with capsys.disabled():
        Console(width=160).print(table)
    assert not failures
    if device == "cuda":
        assert max(peaks.values()) <= 20, peaks


def _take_steps(cell: Cell, prior: Any, places: list[float]) -> list[float]:
    """Mean seconds of a step, in all and by part, its rows, peak GB, samples of a ray, and seconds of a view."""
    with torch_settings(torch.get_num_threads()):
        meter, clock = MemoryMeter(prior.device), StepClock(prior.device)
        loop = Optimisation(cell, prior, clock)
        events = [loop.step(round(place * (cell.steps - 1))).event for place in places]
        seconds, warm = clock.seconds, events[clock.seconds.warm_up_steps :]
        peak = meter.read().peak_bytes / 1e9
        view = _seconds_of_a_view(loop)
    if not all(bool(value.isfinite().all()) for value in loop.scene.parameters()):
        raise ArithmeticError(f"{cell.label}: a parameter is not a finite number")
    spent = [getattr(seconds, part) / len(warm) for part in PARTS]
    rows = sum(event.unet_rows for event in warm) / len(warm)
    return [sum(spent), *spent, rows, peak, warm[0].diagnostics.get("samples_per_ray") or 0.0, view]


def _seconds_of_a_view(loop: Optimisation) -> float:
    """Seconds of one view of the evaluation, 512 pixels wide, which ends on the host."""
    for _ in range(2 if loop.device.type == "cuda" else 1):
        start = time.perf_counter()
        render_ring(loop, range(1))
    return time.perf_counter() - start

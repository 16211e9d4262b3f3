"""A step of every row of table 1 with networks of Stable Diffusion's own size, on a GPU, or on a CPU in an hour."""

from __future__ import annotations

import time
from typing import Any

import pytest
import torch
from rich.console import Console

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
from methods.priors.pipeline.hub import SD21

on_gpu = [pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")]

pytestmark = [
    pytest.mark.timeout(7200),
]

#: Where in an optimisation steps are taken, as progress: t falls in SDI's, and VSD's and ESD's renders grow.  Those of
#: a CPU cost minutes each.
PLACES = {"cuda": [0.9, 0.9, 0.9, 0.99, 0.7, 0.5, 0.3, 0.0], "cpu": [0.5]}

#: The parts of a step.
PARTS = ("render", "encode", "unet", "backward", "optimiser", "other")

ROWS = list(load_study("table1").methods)
DEVICES = [pytest.param("cuda", id="cuda", marks=on_gpu), pytest.param("cpu", id="cpu", marks=pytest.mark.full_size)]


def cell_of(row: str, prior: Any) -> Cell:
    """The cell of a row on one prompt."""
    study = load_study("table1").narrow(prompt_ids=["hamburger"])
    cells = expand(study.model_copy(update={"prior": PriorChoice(name=prior.name), "scorers": "sd21"}))
    return next(cell for cell in cells if cell.label == row)


@pytest.mark.parametrize("full_size_prior", DEVICES, indirect=True)
@pytest.mark.parametrize("row", ROWS)
def test_a_row_of_table_1_takes_steps(
    full_size_prior: Any, row: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The bar on a GPU: at most 20 GB.  Every parameter must stay a finite number."""
    device, cell = full_size_prior.device, cell_of(row, full_size_prior)
    if device.type == "cpu":
        monkeypatch.setattr("bench.watch.step_clock.WARM_UP_STEPS", 0)
    with torch_settings(torch.get_num_threads()):
        meter, clock = MemoryMeter(device), StepClock(device)
        loop = Optimisation(cell, full_size_prior, clock)
        events = [loop.step(round(place * (cell.steps - 1))).event for place in PLACES[device.type]]
        peak = meter.read().peak_bytes / 1e9
    warm = events[clock.seconds.warm_up_steps :]
    spent = {part: getattr(clock.seconds, part) / len(warm) for part in PARTS}
    parts = ", ".join(f"{part} {seconds:.3f}" for part, seconds in spent.items())
    rows, samples = sum(event.unet_rows for event in warm) / len(warm), warm[0].diagnostics.get("samples_per_ray")
    line = (
        f"{row} at {stages(cell.render)[0].side}²: {sum(spent.values()):.3f} s a step ({parts}), {rows:.1f} UNet rows, "
    )
    line += f"{peak:.2f} GB, {samples:.1f} samples a ray"
    if device.type == "cuda":
        line += f"; a view {_seconds_of_a_view(loop):.3f} s{_estimated(cell)}"
    with capsys.disabled():
        Console(width=400).print(line)
    assert all(bool(value.isfinite().all()) for value in loop.scene.parameters())
    if device.type == "cuda":
        assert peak <= 20


@pytest.mark.parametrize("full_size_prior", DEVICES[:1], indirect=True)
@pytest.mark.parametrize("at_once", [2**20, None, 2**24])
def test_larger_blocks_take_memory_and_save_a_render(
    full_size_prior: Any, at_once: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    """The step of SDI's row by the number of samples that are back-propagated at once; the last is one block."""
    cell = cell_of("sdi", full_size_prior)
    cell = cell.model_copy(update={"scene": cell.scene | {"samples_at_once": at_once}})
    with torch_settings(torch.get_num_threads()):
        meter, clock = MemoryMeter(full_size_prior.device), StepClock(full_size_prior.device)
        loop = Optimisation(cell, full_size_prior, clock)
        events = [loop.step(round(place * (cell.steps - 1))).event for place in PLACES["cuda"]]
        peak = meter.read().peak_bytes / 1e9
    warm = len(events) - clock.seconds.warm_up_steps
    spent = ", ".join(f"{part} {getattr(clock.seconds, part) / warm:.3f}" for part in PARTS)
    with capsys.disabled():
        Console(width=400).print(f"samples_at_once {at_once}: {spent} s a step, {peak:.2f} GB")
    assert all(bool(value.isfinite().all()) for value in loop.scene.parameters())


def _estimated(cell: Cell) -> str:
    """The estimate of ``plan`` for this GPU, if it is one of the table."""
    gpu = gpu_named(torch.cuda.get_device_name())
    if gpu is None:
        return ""
    return f"; estimated {Estimator(Architecture.of_file(SD21.shapes), gpu)(cell).step.seconds:.3f} s a step"


def _seconds_of_a_view(loop: Optimisation) -> float:
    """Seconds of one view of the evaluation, 512 pixels wide, which ends on the host."""
    for _ in range(2):
        start = time.perf_counter()
        render_ring(loop, range(1))
    return time.perf_counter() - start

"""Checks before the first cell of a run: the memory of the device and the time of the user."""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence

import torch
from rich.console import Console

from bench.errors import InputError
from bench.forecast.forecast import Cost, Forecast, cost_of, forecast_arms, hours_of, study_device
from bench.formatting import gigabytes
from bench.records.record import Record
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.study import Study
from bench.watch.environment import device_name

#: Free GPU memory that a cell needs as a multiple of its allocations, because of the allocator's fragmentation.
_MARGIN = 1.15

#: Longest time for timing steps of a study without records.
_TIMING_SECONDS = 60.0

#: Seconds of a step that is long on any usual device: a study that stays in its budget with such steps is not timed.
_LONG_STEP = 4.0

#: Number of steps from which a study on a GPU is timed in any case, for the forecast of its memory.
_MANY_STEPS = 1000


def check_forecast(
    study: Study,
    missing: Sequence[Cell],
    records: Sequence[Record],
    store: RunStore,
    console: Console,
    *,
    budget_hours: float,
    times_steps: bool,
    workers_per_gpu: int = 1,
) -> None:
    """Stop a run that does not fit into the device's memory, or takes longer than the budget unless the user agrees.

    A small study without records passes without a forecast, which would take longer than it is worth.

    Args:
        study: The study.
        missing: Cells to run.
        records: Records of the study's finished cells.
        store: The run folder.
        console: The console, on which the user is asked if it is a terminal.
        budget_hours: Hours of the device that are started without asking.
        times_steps: Whether steps may be timed, because cells run in this process or on this machine.
        workers_per_gpu: Number of worker processes that share a GPU, and each hold a cell and a prior on it.

    Raises:
        InputError: If the memory is too small, or the budget is exceeded or (on other machines) cannot be compared with
            a forecast, and nobody agrees.
    """
    steps = sum(cell.steps for cell in missing)
    device = study_device(study) if times_steps else None  # SDIBENCH_DEVICE may be of the machines of a cluster alone
    is_on_gpu = device is not None and device.type == "cuda"
    is_worth_it = steps * _LONG_STEP > budget_hours * 3600 or (is_on_gpu and steps >= _MANY_STEPS)
    costs: dict[str, list[Cost]] = {}
    for record in records:
        if (cost := cost_of(record, record.cell.steps)) is not None:
            costs.setdefault(record.cell.label, []).append(cost)
    arms: dict[str, Cell] = {}
    for cell in missing:
        arms.setdefault(cell.label, cell)
    timing_seconds = _TIMING_SECONDS if times_steps and is_worth_it else None
    forecasts = forecast_arms(study, arms, costs, store, timing_seconds=timing_seconds)
    if device is not None and is_on_gpu:
        _check_memory(forecasts, device, workers_per_gpu)
    _check_budget(study, missing, forecasts, console, budget_hours, is_elsewhere=not times_steps)


def _check_memory(forecasts: dict[str, Forecast], device: torch.device, workers: int) -> None:
    free, in_all = torch.cuda.mem_get_info(device)
    free += torch.cuda.memory_reserved(device)  # the memory of timed steps will be free again
    has = f"{gigabytes(free)} of {gigabytes(in_all)} are free on {device} ({device_name(device)})"
    remedy = (
        "render smaller images (render.resolution), free the GPU or take another one (SDIBENCH_DEVICE); --yes ignores "
        "this"
    )
    for label, forecast in forecasts.items():
        if forecast.is_too_large:
            raise InputError(f"{label}: ran out of GPU memory when its steps were timed, and {has}; {remedy}")
        cost = forecast.cost
        if cost is not None and cost.is_cuda and cost.peak_bytes * _MARGIN * workers > free:
            needs = f"{gigabytes(cost.peak_bytes * _MARGIN * workers)} of GPU memory"
            peak = f"{gigabytes(cost.peak_bytes)} at the peak"
            if workers > 1:
                peak += f" of each of {workers} workers on a GPU"
                remedy = f"take fewer --workers, {remedy}"
            raise InputError(f"{label}: needs {needs} ({peak}, from {forecast.source}), and {has}; {remedy}")


def _check_budget(
    study: Study,
    missing: Sequence[Cell],
    forecasts: dict[str, Forecast],
    console: Console,
    budget_hours: float,
    *,
    is_elsewhere: bool,
) -> None:
    known = [cost for cell in missing if (cost := forecasts[cell.label].cost)]
    hours = sum(cost.seconds for cost in known) / 3600
    unknown = [cell for cell in missing if not forecasts[cell.label].cost]
    longest = hours + sum(cell.steps for cell in unknown) * _LONG_STEP / 3600
    if hours <= budget_hours and (longest <= budget_hours or not is_elsewhere):
        return
    agree = f"--budget-hours {math.ceil(longest if is_elsewhere else hours)} or --yes"
    if known:
        least = "at least" if unknown else "about"
        line = f"{study.name}: {len(missing)} cells will take {least} {hours:.3g} {hours_of(known)}"
    else:  # on other machines, where no step is timed
        steps = sum(cell.steps for cell in missing)
        line = (
            f"{study.name}: {len(missing)} cells of {steps} steps in all run elsewhere; how long they take is unknown"
        )
        agree += "; sdibench plan --on GPU estimates it"
    if console.is_terminal and sys.stdin.isatty():
        if console.input(f"{line}; go on? [y/N] ", markup=False).strip().lower() in ("y", "yes"):
            return
        raise InputError(f"{study.name}: nothing was run; sdibench plan shows the cost of each method")
    raise InputError(f"{line}; agree with {agree}")

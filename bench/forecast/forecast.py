"""Forecast of the cost of a cell of each arm: from records, else from timed steps, else from counted operations."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

import torch

from bench.cells.torch_settings import torch_settings
from bench.errors import DeviceLostError, InputError
from bench.forecast.estimate import Estimator, StepWork
from bench.forecast.gpus import Gpu
from bench.forecast.timed_steps import time_cell
from bench.records.read_record import read_record
from bench.records.record import EVENTS_FILE, RECORD_FILE, ImportedRecord, Record
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.naming import named_in
from bench.study.pinning import cell_prior
from bench.study.settings import PriorChoice
from bench.study.study import Study
from bench.watch.environment import device_name
from bench.watch.lost_device import lost_device
from methods.out_of_memory import is_out_of_memory
from methods.priors.loading import architecture_of, cached_prior, prior_device
from methods.priors.pipeline.settings import NoDeviceError
from methods.registry import UnknownNameError
from methods.weights import WeightsMissingError

#: Number of records of other runs that are read at most, and that are enough.
_READ_AT_MOST, _ENOUGH = 20, 3

#: Fields in which cells may differ and still cost the same per step; the prior is known by its weights.
_NOT_OF_THE_COST: dict[str, Any] = {
    **dict.fromkeys(("label", "prompt_id", "prompt", "seed", "steps", "divergence", "code_version"), True),
    "prior": {"name"},
}


class Cost(NamedTuple):
    """Cost of one cell, measured or forecast."""

    seconds: float
    peak_bytes: int
    is_cuda: bool  # whether the peak is of GPU memory
    disk_bytes: int
    device: str


@dataclass(frozen=True)
class Forecast:
    """Forecast cost of the next cell of an arm, or the reason for which it is not known."""

    cost: Cost | None
    source: str
    """Source of the forecast for a table, such as "3 records", "timed steps" or "estimated", or the reason for having
    none."""
    is_too_large: bool = False
    """Whether the device ran out of memory while steps were timed."""
    step: StepWork | None = None
    """The operations of a mean step, if the forecast is estimated from them."""


def study_device(study: Study) -> torch.device:
    """The device on which the study would run on this machine, if possible without loading its prior.

    Raises:
        WeightsError: If the prior's weights have not been fetched, or SDIBENCH_DEVICE names no device.
    """
    with named_in(study, "prior"):
        name = prior_device(study.prior.name)
        return torch.device(name) if name else cached_prior(*study.prior.arguments).device


def device_here(study: Study) -> torch.device | None:
    """The device of :func:`study_device`; None if it is of another machine, as is the prior of a run from elsewhere.

    Raises:
        UnknownNameError: If the study is not of a run folder, and there is no such prior.
        WeightsError: If the prior's weights are unusable, or SDIBENCH_DEVICE is no device.
    """
    try:
        return study_device(study)
    except (WeightsMissingError, NoDeviceError):
        return None
    except UnknownNameError:
        if study.pinned is None:
            raise
        return None


def cost_of(record: Record, steps: int) -> Cost | None:
    """Cost of the record's cell if it had ``steps`` steps; None if the cell did not take all of its own steps.

    A schedule of resolutions is by progress, so the mean step costs the same whatever the number of steps.
    """
    if record.steps_done != record.cell.steps:
        return None
    ratio, seconds = steps / record.steps_done, record.seconds
    return Cost(
        seconds=seconds.total + (ratio - 1) * seconds.optimise,
        peak_bytes=record.memory.peak_bytes,
        is_cuda=record.memory.kind == "cuda",
        disk_bytes=sum(record.file_bytes.values()) + round((ratio - 1) * record.file_bytes.get(EVENTS_FILE, 0)),
        device=record.environment.device,
    )


def hours_of(costs: Sequence[Cost]) -> str:
    """The unit of hours of the devices, such as "CPU-hours on x86_64"."""
    devices = ", ".join(dict.fromkeys(cost.device for cost in costs))
    return f"{'GPU' if any(cost.is_cuda for cost in costs) else 'CPU'}-hours{f' on {devices}' if devices else ''}"


def forecast_arms(
    study: Study,
    arms: Mapping[str, Cell],
    costs: Mapping[str, Sequence[Cost]],
    store: RunStore,
    *,
    timing_seconds: float | None,
    gpu: Gpu | None = None,
    is_elsewhere: bool = False,
) -> dict[str, Forecast]:
    """Forecast each arm: from its own records, else from those of runs next to this one, timed steps, or an estimate.

    Args:
        study: The study.
        arms: A cell of each arm to forecast, by label.
        costs: Costs of the arms' finished cells.
        store: The run folder; the folders next to it are read too.
        timing_seconds: Time for timing steps of all arms, without the loading of the prior and the last step; None to
            time no steps.
        gpu: The GPU that everything without another source is estimated on; None for no estimates.
        is_elsewhere: Whether the study is to run on ``gpu``, so that records of other devices do not count, and no
            steps are timed unless it is this machine's.

    Raises:
        WeightsError: If steps are to be timed and the prior's weights are missing or not those of their card.
        InputError: If steps are to be timed and the prior's weights are not those that the run was started with.
        DeviceLostError: If this process can use its GPU no more after steps were timed.
    """
    device = device_here(study)
    here = device_name(device) if device else ""
    if gpu is not None and is_elsewhere and not gpu.is_named(here):
        here, timing_seconds = gpu.title, None
    found: dict[str, Forecast] = {}
    for label, cell in arms.items():
        own = [cost for cost in costs.get(label) or [] if not is_elsewhere or gpu is None or gpu.is_named(cost.device)]
        other = [] if own else _neighbour_costs(cell, store, here, gpu if is_elsewhere else None)
        if own or other:
            found[label] = _from_costs(own or other, "record" if own else "record of another run", here)
    untimed = {label: cell for label, cell in arms.items() if label not in found}
    if untimed and timing_seconds is not None:
        found |= _timed(study, untimed, timing_seconds, here)
    elif gpu is not None:
        found |= _estimated(study, untimed, gpu, here)
    return {label: found.get(label, Forecast(None, "no records")) for label in arms}


def _from_costs(costs: Sequence[Cost], what: str, here: str) -> Forecast:
    first = costs[0]
    cost = Cost(
        seconds=statistics.median(cost.seconds for cost in costs),
        peak_bytes=max(cost.peak_bytes for cost in costs),
        is_cuda=any(cost.is_cuda for cost in costs),
        disk_bytes=round(statistics.median(cost.disk_bytes for cost in costs)),
        device=first.device,
    )
    plural = what.replace("record", "records") if len(costs) > 1 else what
    elsewhere = "" if first.device == here else f", on {first.device}"
    return Forecast(cost, f"{len(costs)} {plural}{elsewhere}")


def _neighbour_costs(cell: Cell, store: RunStore, here: str, gpu: Gpu | None) -> list[Cost]:
    """Costs of cells with the same settings in the run folders next to this one, on this device or on ``gpu``."""
    like = cell.model_dump(exclude=_NOT_OF_THE_COST)
    costs = []
    for path in islice(store.folder.parent.glob(f"*/cells/{cell.label}--*/{RECORD_FILE}"), _READ_AT_MOST):
        folder = path.parent
        try:
            record = read_record(folder)
        except InputError:  # a corrupt record of another run
            continue
        if isinstance(record, ImportedRecord):
            continue
        cost = cost_of(record, cell.steps)
        is_like = record.cell.model_dump(exclude=_NOT_OF_THE_COST) == like
        if cost is not None and is_like and (gpu.is_named(cost.device) if gpu else cost.device == here):
            costs.append(cost)
            if len(costs) == _ENOUGH:
                break
    return costs


def _timed(study: Study, arms: Mapping[str, Cell], timing_seconds: float, here: str) -> dict[str, Forecast]:
    found = {}
    cut = f", cut off after {timing_seconds:g} s in all"
    with torch_settings(study.threads):
        # loading is not part of the time for timing
        devices = {label: cell_prior(study, cell).device for label, cell in arms.items()}
        end = time.perf_counter() + timing_seconds
        for index, (label, cell) in enumerate(arms.items()):
            left = end - time.perf_counter()
            if left <= 0:
                found[label] = Forecast(None, f"none: the {timing_seconds:g} s for timing were used up")
                continue
            try:
                timed = time_cell(cell, cell_prior(study, cell), seconds=left / (len(arms) - index))
            except Exception as error:  # noqa: BLE001, such a cell would end as oom or crashed
                if is_out_of_memory(error):
                    found[label] = Forecast(None, f"none: {here} ran out of memory", is_too_large=True)
                else:
                    found[label] = Forecast(None, f"none: {type(error).__name__}: {' '.join(str(error).split())}")
                _require_device(devices[label], label)
            else:
                memory = timed.memory
                cost = Cost(timed.seconds, memory.peak_bytes, memory.kind == "cuda", timed.disk_bytes, here)
                found[label] = Forecast(cost, f"timed steps{cut * timed.is_cut_short}")
    return found


def _require_device(device: torch.device, label: str) -> None:
    """Raise DeviceLostError if timing the arm's steps has ended this process's use of the GPU."""
    lost = lost_device(device)
    if lost:  # no further arm can be timed, and no cell run
        raise DeviceLostError(f"{label}: when its steps were timed, {lost}; --yes runs the study without timing")


def _estimated(study: Study, arms: Mapping[str, Cell], gpu: Gpu, here: str) -> dict[str, Forecast]:
    elsewhere = "" if here == gpu.title else f", on {gpu.title}"
    found = {}
    with torch_settings(study.threads):
        estimators: dict[PriorChoice, Estimator | None] = {}
        for label, cell in arms.items():
            if cell.prior not in estimators:
                estimators[cell.prior] = _estimator(cell.prior, gpu)
            if (estimate := estimators[cell.prior]) is None:
                continue
            try:
                estimated = estimate(cell)
            except Exception as error:  # noqa: BLE001, as for timed steps
                found[label] = Forecast(None, f"none: {type(error).__name__}: {' '.join(str(error).split())}")
                continue
            cost = Cost(estimated.seconds, estimated.peak_bytes, True, estimated.disk_bytes, gpu.title)
            found[label] = Forecast(cost, f"estimated{elsewhere}", step=estimated.step)
    return found


def _estimator(prior: PriorChoice, gpu: Gpu) -> Estimator | None:
    """The estimator of cells under ``prior``; None in a run from elsewhere, of whose networks nothing is known."""
    try:
        return Estimator(architecture_of(prior.name), gpu, prior.resolution)
    except (UnknownNameError, WeightsMissingError):
        return None

"""What a cell of each arm of a study will cost: from records where there are any, else from steps timed here."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import NamedTuple

import torch

from bench.cells.torch_settings import torch_settings
from bench.errors import InputError
from bench.forecast.timed_steps import time_cell
from bench.records.record import Record
from bench.records.store import EVENTS_FILE, RECORD_FILE, RunStore, read_record
from bench.study.cell import Cell
from bench.study.study import Study
from bench.watch.environment import device_name
from methods.priors.loading import cached_prior, prior_device

#: Records of other runs that are looked at, and that are enough.
_LOOKED_AT, _ENOUGH = 20, 3

#: In what cells may differ and still cost the same by the step.
_BESIDE_COST = {"label", "prompt_id", "prompt", "seed", "steps", "divergence", "code_version"}


class Cost(NamedTuple):
    """What one cell took, or will."""

    seconds: float
    peak_bytes: int
    is_cuda: bool  # whether the peak is of a GPU's memory
    disk_bytes: int
    device: str


@dataclass(frozen=True)
class Forecast:
    """What the next cell of an arm costs, or why that is not known."""

    cost: Cost | None
    source: str
    """As a table shows it: "3 records", "timed steps", or what stands in the way."""
    is_too_large: bool = False
    """Whether the device ran out of memory when its steps were timed."""


def study_device(study: Study) -> torch.device:
    """Where the study would run on this machine, without loading its prior where that can be told.

    Raises:
        WeightsError: If the prior's weights have not been fetched, or SDIBENCH_DEVICE names no device.
    """
    name = prior_device(study.prior.name)
    return torch.device(name) if name else cached_prior(study.prior.name, study.prior.posterior).device


def cost_of(record: Record, steps: int) -> Cost | None:
    """What the record's cell would have cost in ``steps`` steps; None for one that did not take all of its own.

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
    """What hours of the device are called, and which device it is."""
    devices = ", ".join(dict.fromkeys(cost.device for cost in costs))
    return f"{'GPU' if any(cost.is_cuda for cost in costs) else 'CPU'}-hours{f' on {devices}' if devices else ''}"


def forecast_arms(
    study: Study,
    arms: Mapping[str, Cell],
    costs: Mapping[str, Sequence[Cost]],
    store: RunStore,
    *,
    timing_seconds: float | None,
) -> dict[str, Forecast]:
    """A forecast for each arm: from its own records, else from another run's beside this one, else from timed steps.

    Args:
        study: The study.
        arms: A cell of each arm to forecast, by label.
        costs: What the arms' finished cells cost.
        store: The run folder, whose neighbours are looked at too.
        timing_seconds: Time for timing steps, over all arms, the loading of the prior and the step that is under way
            not counted; None to time none.

    Raises:
        WeightsError: If the prior's weights are missing or others than their card names.
    """
    here = device_name(study_device(study))
    found: dict[str, Forecast] = {}
    for label, cell in arms.items():
        own = costs.get(label) or []
        beside = [] if own else _beside(cell, store, here)
        if own or beside:
            found[label] = _from_costs(own or beside, "record" if own else "record of another run", here)
    untimed = {label: cell for label, cell in arms.items() if label not in found}
    if untimed and timing_seconds is not None:
        found |= _timed(study, untimed, timing_seconds, here)
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


def _beside(cell: Cell, store: RunStore, here: str) -> list[Cost]:
    """Costs of cells with the same settings in the run folders next to this one, on this device."""
    like = cell.model_dump(exclude=_BESIDE_COST)
    costs = []
    for path in islice(store.folder.parent.glob(f"*/cells/{cell.label}--*/{RECORD_FILE}"), _LOOKED_AT):
        folder = path.parent
        try:
            record = read_record(folder)
        except InputError:  # another run's trouble
            continue
        cost = cost_of(record, cell.steps)
        is_like = record.cell.model_dump(exclude=_BESIDE_COST) == like
        if cost is not None and is_like and cost.device == here:
            costs.append(cost)
            if len(costs) == _ENOUGH:
                break
    return costs


def _timed(study: Study, arms: Mapping[str, Cell], timing_seconds: float, here: str) -> dict[str, Forecast]:
    found = {}
    cut = f", cut off after {timing_seconds:g} s in all"
    with torch_settings(study.threads):
        prior = cached_prior(study.prior.name, study.prior.posterior)
        end = time.perf_counter() + timing_seconds
        for index, (label, cell) in enumerate(arms.items()):
            left = end - time.perf_counter()
            if left <= 0:
                found[label] = Forecast(None, f"none: the {timing_seconds:g} s for timing were used up")
                continue
            try:
                timed = time_cell(cell, prior, seconds=left / (len(arms) - index))
            except torch.OutOfMemoryError:
                found[label] = Forecast(None, f"none: {here} ran out of memory", is_too_large=True)
            except Exception as error:  # noqa: BLE001, as at the cell's boundary: it would end as crashed
                found[label] = Forecast(None, f"none: {type(error).__name__}: {' '.join(str(error).split())}")
            else:
                memory = timed.memory
                cost = Cost(timed.seconds, memory.peak_bytes, memory.kind == "cuda", timed.disk_bytes, here)
                found[label] = Forecast(cost, f"timed steps{cut * timed.is_cut_short}")
    return found

"""Command ``plan``: the number of cells of a study, and a forecast of their time, memory and disk."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from rich.console import Console
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from bench.cells.initial_scene import check_inputs
from bench.commands.estimated_steps import print_estimated_steps
from bench.commands.prompt_reading import describe_reading, describe_scorers
from bench.errors import InputError
from bench.forecast.forecast import Cost, Forecast, cost_of, device_here, forecast_arms, hours_of, study_device
from bench.forecast.gpus import PAPERS_GPU, Gpu, gpu_named, gpus
from bench.formatting import duration, gigabytes
from bench.imports.import_arms import check_arms
from bench.output import print_line
from bench.records.store import RunStore
from bench.study.arms import arms_of
from bench.study.expand import expand
from bench.study.imported_arms import imported_arms, imported_cells
from bench.study.pinning import check_prior, pin_expected
from bench.study.readiness import NotInstalledError, check_scenes
from bench.study.reported import check_report
from bench.study.scorers import check_metrics
from bench.study.study import Study
from bench.watch.machine import free_disk_bytes
from methods.priors.pipeline.settings import choose_device
from methods.registry import UnknownNameError
from methods.weights import WeightsMissingError
from reports.statistics import fewest_prompts

#: Seconds for timing steps without records: enough on a GPU, and a bound on a CPU.
TIMING_SECONDS = 120.0

#: Headings of the forecast, short enough for 80 columns.
_COSTS = ("per cell", "left", "memory", "disk")


@dataclass(frozen=True)
class ArmPlan:
    """One row of a plan."""

    cells: int
    done: int | None  # None if cells have no names, because the prior's weights are missing and were never known
    forecast: Forecast

    @property
    def missing(self) -> int:
        """Cells without a record."""
        return self.cells - (self.done or 0)

    def left(self, what: Callable[[Cost], float]) -> float | None:
        """The sum of ``what`` over all missing cells; None if it is not known."""
        if self.missing == 0:
            return 0.0
        return None if self.forecast.cost is None else self.missing * what(self.forecast.cost)


def print_plan(
    study: Study,
    store: RunStore,
    console: Console,
    *,
    timing_seconds: float = TIMING_SECONDS,
    on: Gpu | None = None,
) -> bool:
    """Print cells done and missing with a forecast; writes nothing.

    The forecast is from finished cells with the same settings, in this run or one next to it; without any, a few steps
    are timed here; where they cannot be, because the study is to run on another GPU or the prior's weights are missing,
    it is estimated from counted operations, and a second table has those of a step.  Lines below the tables name
    prompts that the prior or a scorer does not read to their end, words that the prior does not know, and what this
    machine lacks.

    Args:
        study: The study.
        store: Its run folder.
        console: The console to print on.
        timing_seconds: Longest time for timing steps, without the loading of the prior.
        on: The GPU that the study is to run on; None for this machine.

    Returns:
        Whether no package is missing for the cells that are to run on this machine.

    Raises:
        InputError: If the folder holds another study or a corrupt record, or the study names something unknown.
    """
    study = store.check(study)
    check_report(study)
    if on is None:
        check_arms(study)
    lacking = _lacking(study)
    gpu = on or (_gpu_here() if lacking.has_no_weights else None)
    seconds = None if lacking.stop_timing else timing_seconds
    try:
        rows = _rows(study, store, timing_seconds=seconds, gpu=gpu, is_elsewhere=on is not None)
    except WeightsMissingError:
        rows = _rows_without_weights(study, store, gpu, is_elsewhere=on is not None)
    reading: list[str] = []
    with suppress(WeightsMissingError):
        reading += describe_reading(study)
    with suppress(WeightsMissingError):
        reading += describe_scorers(study)
    print_line(console, f"{study.name}: {study.title}, run folder {store.folder}")
    if rows:
        _print_rows(rows, lacking.remedy, console)
    if gpu is not None:
        print_estimated_steps({label: row.forecast.step for label, row in rows.items()}, gpu, console)
    for line in [*_sums(study, store, rows, gpu), *_imported(study), *_too_few(study), *reading, *lacking.lines]:
        print_line(console, line)
    return on is not None or not lacking.has_no_package or not any(row.missing for row in rows.values())


def _too_few(study: Study) -> list[str]:
    """Say that the study has too few prompts for a verdict on any method, whatever the scores will be."""
    prompts, others = len(study.chosen_prompts()), len(study.methods) - 1
    needed = fewest_prompts(others)
    if not others or prompts >= needed:
        return []
    baseline = "their baselines" if study.more_baselines else study.baseline
    whom = f"the other method from {baseline}" if others == 1 else f"{others} methods from {baseline}"
    return [f"{prompts} prompts cannot tell {whom}, whatever their scores: it takes {needed}"]


@dataclass(frozen=True)
class _Lacking:
    """Packages and weights that this machine lacks to run a study."""

    lines: list[str]
    remedy: str = ""  # a few words for the table; empty if steps can be timed
    has_no_weights: bool = False  # whether the prior's weights are what is missing
    has_no_package: bool = False  # whether a package of a scene is

    @property
    def stop_timing(self) -> bool:
        return bool(self.remedy)


def _lacking(study: Study) -> _Lacking:
    lines, remedy, has_no_weights, has_no_package = [], "", False, False
    try:
        check_scenes(study)
    except NotInstalledError as error:
        lines.append(f"cannot run here: {error}")
        remedy = "a package is missing, see below"
        has_no_package = True
    try:
        check_inputs(study)
    except InputError as error:
        if study.pinned is None:
            raise
        lines.append(f"cannot run here: {error}")
        remedy = "a file is missing, see below"
    try:
        check_prior(study)
        for asked in study.by_prior():
            study_device(asked)
    except WeightsMissingError as error:
        lines.append(f"cannot run here: {error}")
        has_no_weights = True
        names = [each.prior.name for each in study.by_prior() if _lacks_weights(each)]
        fetch = "see below" if Path(names[0]).is_absolute() else f"sdibench fetch {names[0]}"
        remedy = f"no weights: {fetch}"
    except (InputError, UnknownNameError) as error:
        if study.pinned is None:
            raise
        lines.append(f"cannot run here: {error}")
        remedy = "not its prior, see below"
    try:
        check_metrics(study)
    except WeightsMissingError as error:
        lines.append(f"cannot be scored here: {error}")
    return _Lacking(lines, remedy, has_no_weights, has_no_package)


def _lacks_weights(study: Study) -> bool:
    try:
        study_device(study)
    except WeightsMissingError:
        return True
    return False


def _gpu_here() -> Gpu:
    """The GPU of this machine, or the SDI paper's where there is none or it is not in the table."""
    if not torch.cuda.is_available():
        return gpus[PAPERS_GPU]
    choose_device(uses_gpu=True)  # the current one is that of SDIBENCH_DEVICE
    return gpu_named(torch.cuda.get_device_name()) or gpus[PAPERS_GPU]


def _rows_without_weights(study: Study, store: RunStore, gpu: Gpu | None, *, is_elsewhere: bool) -> dict[str, ArmPlan]:
    """The rows of a study whose cells have no identity yet, so that their records cannot be found."""
    try:
        rows = _rows(pin_expected(study), store, timing_seconds=None, gpu=gpu, is_elsewhere=is_elsewhere)
    except WeightsMissingError:
        each = len(study.seeds) * len(study.chosen_prompts())
        return {label: ArmPlan(each, None, Forecast(None, "no records")) for label in arms_of(study)}
    return {label: replace(row, done=None) for label, row in rows.items()}


def _rows(
    study: Study, store: RunStore, *, timing_seconds: float | None, gpu: Gpu | None, is_elsewhere: bool
) -> dict[str, ArmPlan]:
    cells = expand(study)
    labels = list(arms_of(study))
    costs: dict[str, list[Cost]] = {label: [] for label in labels}
    done = dict.fromkeys(labels, 0)
    for cell in cells:
        record = store.read(cell)
        if record is not None:
            done[cell.label] += 1
            cost = cost_of(record, cell.steps)
            costs[cell.label] += [cost] if cost else []
    counts = {label: sum(cell.label == label for cell in cells) for label in labels}
    first = {cell.label: cell for cell in reversed(cells)}
    arms = {label: first[label] for label in labels if costs[label] or done[label] < counts[label]}
    forecasts = forecast_arms(
        study, arms, costs, store, timing_seconds=timing_seconds, gpu=gpu, is_elsewhere=is_elsewhere
    )
    none = Forecast(None, "no whole records")
    return {label: ArmPlan(counts[label], done[label], forecasts.get(label, none)) for label in labels}


def _print_rows(rows: Mapping[str, ArmPlan], remedy: str, console: Console) -> None:
    """Print the table, or what of it fits: the sources of the forecasts in lines below, or everything in lines."""

    def fits(table: Table) -> bool:
        return Measurement.get(console, console.options.update(max_width=1000), table).maximum <= console.width

    sources: dict[str, list[str]] = {}
    for label, row in rows.items():
        sources.setdefault(_source(row, remedy), []).append(label)
    if fits(whole := _table(rows, sources)):
        console.print(whole)
        return
    if fits(narrow := _table(rows, {})):
        console.print(narrow)
    else:  # columns of one letter help nobody
        for label, row in rows.items():
            done = "?" if row.done is None else row.done
            costs = ", ".join(f"{name} {value}" for name, value in zip(_COSTS, _costs(row), strict=True))
            print_line(console, f"{label}: {row.cells} cells, {done} done, {row.missing} missing; {costs}")
    for source, labels in sources.items():
        print_line(console, f"forecast of {', '.join(labels)}: {source}")


def _source(row: ArmPlan, remedy: str) -> str:
    return row.forecast.source if row.forecast.cost else remedy or row.forecast.source


def _table(rows: Mapping[str, ArmPlan], sources: Mapping[str, Sequence[str]]) -> Table:
    """The table; with a column for the sources of the forecasts, if they are given with their methods."""
    source_of = {label: source for source, labels in sources.items() for label in labels}
    known = any(row.forecast.cost for row in rows.values())
    titles = _COSTS if known else ()
    last = ("forecast from" if known else "forecast",) * bool(sources)
    table = Table("method", "cells", "done", "missing", *titles, *last)
    for label, row in rows.items():
        counts = (str(row.cells), "?" if row.done is None else str(row.done), str(row.missing))
        table.add_row(
            Text(label), *counts, *_costs(row)[: len(titles)], *[Text(source_of.get(label, ""))] * bool(sources)
        )
    table.add_section()
    every = list(rows.values())
    done = "?" if any(row.done is None for row in every) else str(sum(row.done or 0 for row in every))
    counts = (str(sum(row.cells for row in every)), done, str(sum(row.missing for row in every)))
    peaks = [row.forecast.cost.peak_bytes for row in every if row.forecast.cost]
    sums = (
        "",
        _total(every, lambda cost: cost.seconds, duration),
        gigabytes(max(peaks, default=0)),
        _total(every, lambda cost: cost.disk_bytes, gigabytes),
    )
    table.add_row("all", *counts, *sums[: len(titles)], *[""] * bool(sources))
    return table


def _costs(row: ArmPlan) -> tuple[str, ...]:
    cost = row.forecast.cost
    return (
        duration(cost.seconds) if cost else "?",
        _or_unknown(row.left(lambda cost: cost.seconds), duration),
        gigabytes(cost.peak_bytes) if cost else "?",
        _or_unknown(row.left(lambda cost: cost.disk_bytes), gigabytes),
    )


def _sums(study: Study, store: RunStore, rows: Mapping[str, ArmPlan], gpu: Gpu | None) -> list[str]:
    """Lines with the remaining hours of the device, and whether memory and disk are enough."""
    every = list(rows.values())
    if all(row.left(lambda cost: cost.seconds) is None for row in every):
        return []
    costs = [row.forecast.cost for row in every if row.missing and row.forecast.cost]
    lines = [f"left: {_total(every, lambda cost: cost.seconds / 3600, '{:.1f}'.format)} {hours_of(costs)}"]
    device = None if gpu else device_here(study)
    peak = max((row.forecast.cost.peak_bytes for row in every if row.forecast.cost), default=0)
    if gpu is not None:
        lines[0] += f"; GPU memory: {gigabytes(peak)} at the peak, {gpu.title} has {gigabytes(gpu.memory_bytes)}"
    if device is not None and device.type == "cuda":
        free, in_all = torch.cuda.mem_get_info(device)
        lines[0] += f"; GPU memory: {gigabytes(peak)} at the peak, {gigabytes(free)} of {gigabytes(in_all)} are free"
    free = free_disk_bytes(store.folder)
    lines[0] += f"; disk: {_total(every, lambda cost: cost.disk_bytes, gigabytes)}, {gigabytes(free)} are free"
    if sum(row.left(lambda cost: cost.disk_bytes) or 0.0 for row in every) > free:
        lines.append(f"the disk of {store.folder} is too small for all cells; give a folder on a larger one with --out")
    return lines


def _imported(study: Study) -> list[str]:
    """Lines with the arms that are imported."""
    cells = imported_cells(study)
    lines = []
    for label, arm in imported_arms(study).items():
        count = sum(cell.label == label for cell in cells)
        what = f"{count} renders are imported" if count else "renders are imported when the study is run"
        lines.append(f"{label}: {what}, from {arm.folder}")
    return lines


def _total(rows: Sequence[ArmPlan], what: Callable[[Cost], float], shown: Callable[[float], str]) -> str:
    known = [left for row in rows if (left := row.left(what)) is not None]
    if not known:
        return "?"
    return f"{'at least ' * (len(known) < len(rows))}{shown(sum(known))}"


def _or_unknown(value: float | None, shown: Callable[[float], str]) -> str:
    return "?" if value is None else shown(value)

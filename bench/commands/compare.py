"""Two runs of the same cells side by side: what changed, and how surely."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace

import numpy as np
import pandas as pd
from pandas.api.typing import DataFrameGroupBy

from bench.commands.comparison import Comparison
from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.record import AnyRecord, Record
from bench.records.store import RunStore
from bench.scores.frames import table_frames
from bench.scores.tables import read_card
from bench.study.cell import canonical_sha256
from bench.study.imported_cell import imported_title
from metrics.card import MetricCard
from reports.costs import TIME
from reports.frames import DIVERGED, FAILED, ReportFrames, listed
from reports.means import asset_means
from reports.statistics import Estimate, Interval, paired_differences, prompt_bootstrap
from reports.statistics.constants import LEVEL_TEXT, SEED
from reports.table import Direction, Entry, Row, Table, TableColumn

#: Columns by which a cell of one run is found in the other, whose identity is another one after each change of code.
_PLACE = ("method", "prompt_id", "seed")

#: Columns of every comparison, whatever was scored.
_COST = (
    TableColumn(TIME.source, f"{TIME.title} B / A", "×", decimals=3),
    TableColumn("diverged", "diverged", "points", decimals=1, signed=True),
)


def compare_runs(a: RunStore, b: RunStore) -> Comparison:
    """B − A for every method and metric, over the prompts and seeds that both runs have.

    A metric whose card is not the same in both (model, preprocessing, version, candidates, columns) has no difference,
    and neither has one that compares with images of the prior where the runs have different priors.

    Raises:
        InputError: If a folder is not a scored run, or the runs have no cell in common.
        ReportError: If the tables of a run do not fit each other.
    """
    records = [_records(store) for store in (a, b)]
    runs = [table_frames(each, store) for each, store in zip(records, (a, b), strict=True)]
    cards = [_cards(run, store) for run, store in zip(runs, (a, b), strict=True)]
    _check_prompts(runs, (a, b))
    methods = [method for method in runs[0].methods if method in runs[1].methods]
    if not methods:
        raise InputError(f"{a.folder} and {b.folder} have no method in common")
    places = [run.cells.set_index(list(_PLACE)).index for run in runs]
    if places[0].intersection(places[1]).empty:
        raise InputError(f"{a.folder} and {b.folder} have no prompt and seed in common")
    scored = [metric for metric in cards[0] if metric in cards[1]]
    columns = [_column(cards[0][metric], metric) for metric in scored]
    not_comparable = _of_other_images(cards[0], (a, b)) | _not_comparable(cards, (a, b))
    estimates: dict[tuple[str, str], Estimate] = {}
    assets = [asset_means(run).groupby(["method", "metric"], observed=True) for run in runs]
    for method in methods:
        for metric in [metric for metric in scored if metric not in not_comparable]:
            estimates[method, metric] = _difference([_group(each, (method, metric)) for each in assets])
        estimates[method, TIME.source] = _time_ratio(runs, method)
        estimates[method, "diverged"] = _divergence(runs, method)
    columns += _COST
    entries = {key: _entry(estimate) for key, estimate in estimates.items()}
    entries |= {(method, metric): Entry(text="not comparable") for method in methods for metric in not_comparable}
    rows = tuple(Row(method, tuple(entries[method, column.key] for column in columns)) for method in methods)
    only_in_a, only_in_b = (
        tuple(f"{method} is in {store.folder} only" for method in run.methods if method not in methods)
        for run, store in zip(runs, (a, b), strict=True)
    )
    diverged = _ended(runs, DIVERGED, f"diverged in {b.folder}")
    lost = (*_lost(runs, b), *_ended(runs, FAILED, f"failed in {b.folder}").values())
    reasons = (*not_comparable.values(), *lost, *diverged.values(), *only_in_a, *only_in_b)
    caption = (
        *_caption([_of(run, methods) for run in runs], rows),
        *_changed_arms(records, methods),
        *dict.fromkeys(f"{why}." for why in reasons),
    )
    table = Table("comparison", f"{b.folder} − {a.folder}", caption, "Method", tuple(columns), rows)
    return Comparison(table, estimates, not_comparable, only_in_a, lost, diverged)


def _of(run: ReportFrames, methods: Collection[str]) -> ReportFrames:
    """The run with the cells of some methods, which are compared."""
    return replace(run, cells=run.cells[run.cells["method"].isin(methods)])


def _lost(runs: Sequence[ReportFrames], b: RunStore) -> tuple[str, ...]:
    """Describe, by method, the cells of A that B's study has as well, but not its records."""
    study = b.read_study()
    labels = {*study.methods, *map(imported_title, study.methods)}
    prompts = {prompt.id for prompt in study.chosen_prompts()}
    theirs, ours = (run.cells.set_index(list(_PLACE)).index for run in runs)
    lost: Counter[str] = Counter()
    for method, prompt_id, seed in theirs.difference(ours, sort=False):
        lost[method] += method in labels and prompt_id in prompts and seed in study.seeds
    return tuple(
        f"{method}: {count} of the cells in A have no record in {b.folder}" for method, count in lost.items() if count
    )


def _ended(runs: Sequence[ReportFrames], statuses: Sequence[str], how: str) -> dict[str, str]:
    """Describe, by method, the cells that completed in A and ended in B with one of ``statuses``."""
    theirs, ours = (run.cells.set_index(list(_PLACE))["status"] for run in runs)
    completed = theirs.index[theirs == "completed"].intersection(ours.index[ours.isin(statuses)], sort=False)
    counts = Counter(completed.get_level_values("method"))
    return {method: f"{method}: {count} of the cells that completed in A {how}" for method, count in counts.items()}


def _changed_arms(records: Sequence[Sequence[AnyRecord]], methods: Sequence[str]) -> list[str]:
    """Name the arms whose method has other code or settings in B than in A, as far as both are known."""
    found = []
    for what, differ, read in (("code", "differs", _code), ("settings", "differ", _settings)):
        theirs, ours = (_of_methods(each, read) for each in records)
        known = [method for method in methods if method in theirs and method in ours]
        changed = [method for method in known if theirs[method] != ours[method]]
        if changed:
            found.append(f"The {what} of {listed(changed, 'and')} {differ} between A and B.")
    return found


def _of_methods(records: Sequence[AnyRecord], read: Callable[[Record], str | None]) -> dict[str, set[str]]:
    """Collect by method what ``read`` finds in the records of its optimisations; None counts as unknown."""
    found: dict[str, set[str]] = {}
    for record in records:
        if isinstance(record, Record) and (known := read(record)) is not None:
            found.setdefault(record.cell.title, set()).add(known)
    return found


def _code(record: Record) -> str | None:
    return record.method_sha256


def _settings(record: Record) -> str:
    return canonical_sha256({"method": record.cell.method, **record.cell.hyper_parameters})


def _records(store: RunStore) -> list[AnyRecord]:
    """The records of a run's study, read without the weights or the code that made it."""
    study = store.read_study()
    records: dict[tuple[str, str, int], AnyRecord] = {}
    for record in map(read_record, store.record_folders()):
        cell = record.cell
        key = (cell.label, cell.prompt_id, cell.seed)
        wanted = cell.label in study.methods and cell.seed in study.seeds
        wanted &= study.prompt_ids is None or cell.prompt_id in study.prompt_ids
        if wanted and (key not in records or _age(records[key]) < _age(record)):
            records[key] = record
    if not records:
        raise InputError(f"{store.folder}: has no records of {study.name} yet; run it first")
    order = list(study.methods)
    return sorted(records.values(), key=lambda record: order.index(record.cell.label))


def _age(record: AnyRecord) -> tuple[int, str]:
    """Keep the latest code's record where several are of one place in a study."""
    return record.cell.code_version, record.started_at


def _cards(run: ReportFrames, store: RunStore) -> dict[str, MetricCard]:
    shown = run.metric_columns[run.metric_columns["group"] != "spectrum"]  # points of a curve are no columns
    columns = zip(shown["metric"], shown["card"], strict=True)
    return {metric: read_card(card, metric, store.folder) for metric, card in columns}


def _not_comparable(cards: Sequence[Mapping[str, MetricCard]], stores: Sequence[RunStore]) -> dict[str, str]:
    """Say why, for each metric of both runs whose scores mean another thing in the second than in the first."""
    reasons = {}
    for metric in [metric for metric in cards[0] if metric in cards[1]]:
        found = cards[0][metric].difference(cards[1][metric], metric)
        if found is not None:
            field, first, second = found
            reasons[metric] = (
                f"{metric} is not comparable: {field} of its card is {first!s:.80} in {stores[0].folder} and "
                f"{second!s:.80} in {stores[1].folder}; score both with the same"
            )
    return reasons


def _of_other_images(cards: Mapping[str, MetricCard], stores: Sequence[RunStore]) -> dict[str, str]:
    """Say why, for each metric that is relative to images of the prior where the studies' priors differ."""
    studies = [store.read_study() for store in stores]
    priors = [None if study.pinned is None else study.pinned.prior.weights_sha256 for study in studies]
    names = [study.prior.name for study in studies]
    if (names[0], priors[0]) == (names[1], priors[1]):
        return {}
    lacks_truth = any(prompt.truth is None for study in studies for prompt in study.chosen_prompts())
    return {
        metric: f"{metric} is not comparable: it is relative to images of the prior, which is {names[0]} in "
        f"{stores[0].folder} and {names[1]} in {stores[1].folder}"
        for metric, card in cards.items()
        if card.uses_samples or (card.uses_references and lacks_truth)
    }


def _check_prompts(runs: Sequence[ReportFrames], stores: Sequence[RunStore]) -> None:
    first, second = (run.prompts for run in runs)
    for prompt_id in [each for each in first if each in second]:
        if first[prompt_id] != second[prompt_id]:
            words = f"{first[prompt_id]!r} in {stores[0].folder} and {second[prompt_id]!r} in {stores[1].folder}"
            raise InputError(f"the prompt {prompt_id} is {words}; they cannot be compared")


def _difference(sides: Sequence[pd.DataFrame]) -> Estimate:
    """B − A of ``value`` over the prompts and seeds that both have."""
    first, second = (
        dict(zip(zip(side["prompt_id"], side["seed"], strict=True), side["value"].astype(float), strict=True))
        for side in sides
    )
    both = [place for place in first if place in second]
    prompts, seeds = (list(dict.fromkeys(place[axis] for place in both)) for axis in (0, 1))
    grid = [[(prompt, seed) for seed in seeds] for prompt in prompts]
    theirs, ours = (np.array([[side.get(place, np.nan) for place in row] for row in grid]) for side in (first, second))
    return prompt_bootstrap(paired_differences(ours, theirs) if both else np.empty(0), SEED)


def _group(groups: DataFrameGroupBy, key: tuple[str, str]) -> pd.DataFrame:
    """The rows of a method and a metric; none if it has no value."""
    return groups.obj.iloc[groups.indices.get(key, [])]


def _time_ratio(runs: Sequence[ReportFrames], method: str) -> Estimate:
    """Geometric mean over prompts of B's time of the optimisation over A's, of cells that completed in both."""
    arms = [run.cells[run.cells["method"] == method] for run in runs]
    completed = [cells[(cells["status"] == "completed") & (cells[TIME.source] > 0)] for cells in arms]
    logs = _difference([cells.assign(value=np.log(cells[TIME.source])) for cells in completed])
    interval = logs.interval
    if interval.low is not None and interval.high is not None:
        interval = Interval(float(np.exp(interval.low)), float(np.exp(interval.high)))
    return Estimate(None if logs.value is None else float(np.exp(logs.value)), interval, logs.n)


def _divergence(runs: Sequence[ReportFrames], method: str) -> Estimate:
    """Share of diverged cells in B less that in A, in percentage points, of cells that came to an end in both."""
    arms = [run.cells[run.cells["method"] == method] for run in runs]
    ended = [cells[~cells["status"].isin(FAILED)] for cells in arms]
    return _difference([cells.assign(value=100.0 * cells["status"].isin(DIVERGED)) for cells in ended])


def _column(card: MetricCard, metric: str) -> TableColumn:
    column = next(column for column in card.columns if column.name == metric)
    directions: dict[str, Direction] = {"higher": "up", "lower": "down"}
    return TableColumn(
        column.name, column.title, column.unit, directions.get(column.direction), column.decimals, signed=True
    )


def _entry(estimate: Estimate) -> Entry:
    interval = estimate.interval
    text = "" if interval.low is not None else "cannot tell"
    return Entry(
        mean=estimate.value, n=estimate.n, text=text, low=interval.low, high=interval.high, why=interval.reason
    )


def _caption(runs: Sequence[ReportFrames], rows: Sequence[Row]) -> tuple[str, ...]:
    caption = [
        f"Each entry is the mean over prompts of B − A [{LEVEL_TEXT} bootstrap interval over prompts, BCa] (n "
        "prompts), cells paired by prompt and seed; of the time it is the geometric mean of B / A.",
    ]
    reasons = sorted({entry.why for row in rows for entry in row.entries} - {""})
    caption += [f"Cannot tell: {'; '.join(reasons)}."] if reasons else []
    for field, what in (("evaluation", "evaluation views"), ("steps", "steps"), ("prior_sha256", "priors")):
        seen = [{json.dumps(json.loads(text).get(field)) for text in run.cells["settings"]} for run in runs]
        if seen[0] != seen[1]:
            caption.append(f"The runs have different {what}.")
    devices = [", ".join(sorted(set(run.cells["device"].dropna()))) or "unknown" for run in runs]
    if devices[0] != devices[1]:
        caption.append(f"The times are of different devices: {devices[0]} in A, {devices[1]} in B.")
    first, second = (set(run.metric_columns["metric"]) for run in runs)
    caption += [f"{metric} is scored in one run only." for metric in sorted(first ^ second)]
    return tuple(caption)

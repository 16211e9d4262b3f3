"""Whether the tables of a scored run have the scores that are kept next to them, view set by view set."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from bench.errors import InputError
from bench.records.record import AnyRecord
from bench.records.store import RunStore
from bench.scores.control_views import control_views
from bench.scores.scorers import candidate_texts
from bench.scores.scoring import kept_scores
from bench.scores.tables import TABLES, read_frame
from bench.scores.view_set import ViewSet, cell_sets, snapshot_sets, with_samples
from bench.study.study import Study
from metrics import Metric
from prompts import Prompt

#: The columns that name a view set in each table of scores.
_KEYS: Mapping[str, Sequence[str]] = {
    "scores": ("cell",),
    "snapshots": ("cell", "step"),
    "controls": ("control", "prompt_id"),
}

#: The column that a line names the rows by, and how it calls so many of them.
_NAMED: Mapping[str, tuple[str, str]] = {
    "scores": ("method", "cells"),
    "snapshots": ("method", "snapshots"),
    "controls": ("control", "prompts"),
}

#: Metrics that a line names.
_SHOWN = 3


class Altered(NamedTuple):
    """View sets of one arm, or control, of which a table has other values than are kept: one of the two is wrong."""

    table: str
    """Name of the table."""
    line: str
    """The differences, for a reader."""
    kept: tuple[Path, ...]
    """Folders with the kept scores of these view sets."""


def altered_tables(
    study: Study,
    store: RunStore,
    records: Sequence[AnyRecord],
    scorers: Sequence[Metric],
    samples: Mapping[str, ViewSet],
) -> Iterator[Altered]:
    """Yield what differs between tables and kept scores, of all view sets that are in a table and have kept scores.

    Args:
        study: Its prompts and controls.
        store: The run folder.
        records: The completed cells.
        scorers: Loaded metrics.
        samples: The prior's own images, by the id of the prompt.

    Raises:
        InputError: If an image is of no whole folder.
    """
    prompts = {prompt.id: prompt for prompt in study.chosen_prompts()}
    candidates = candidate_texts(study)
    for name, sets in _sets(study, store, records, prompts).items():
        try:
            table = read_frame(store.folder / f"{name}.parquet", TABLES[name])
        except InputError:
            continue  # damaged, which is found elsewhere
        keys = [*_KEYS[name], "metric", "view"]
        kept = [
            (*key, metric, view, value)
            for key, views in zip(sets, with_samples(list(sets.values()), samples), strict=True)
            for metric, values in kept_scores(views, scorers, candidates).items()
            for view, value in enumerate(values)
        ]
        owner, _ = _NAMED[name]
        of_table = table[list(dict.fromkeys([*_KEYS[name], owner]))].drop_duplicates()  # others are not scored yet
        both = pd.DataFrame(kept, columns=[*keys, "kept"]).merge(of_table, on=_KEYS[name])
        both = both.merge(table[[*keys, "value"]], on=keys, how="left", indicator="found")  # a row may be gone
        for line, rows in _lines(name, both):
            places = rows[list(_KEYS[name])].drop_duplicates().itertuples(index=False, name=None)
            yield Altered(name, line, tuple(dict.fromkeys(sets[tuple(place)].scores for place in places)))


def _sets(
    study: Study, store: RunStore, records: Sequence[AnyRecord], prompts: Mapping[str, Prompt]
) -> dict[str, dict[tuple[Any, ...], ViewSet]]:
    """The view sets behind each table, by the columns that name one."""
    cells = zip(records, cell_sets(records, prompts, store), strict=True)
    snapshots = [(record, snapshot) for record in records for snapshot in record.snapshots]
    on_the_way = zip(snapshots, snapshot_sets(snapshots, prompts, store), strict=True)
    controls = control_views(study, records, list(prompts.values()), store, Console(quiet=True), makes=False)
    return {
        "scores": {(record.identity,): views for record, views in cells},
        "snapshots": {(record.identity, snapshot.step): views for (record, snapshot), views in on_the_way},
        "controls": {(control.name, control.views.prompt.id): control.views for control in controls},
    }


def _lines(name: str, both: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """A line for each arm, or control, with other values in the table than are kept, and the rows that differ."""
    found, kept = (both[column].to_numpy(float) for column in ("value", "kept"))
    is_same = np.isclose(found, kept, rtol=1e-9, atol=1e-12, equal_nan=True) & (both["found"] == "both").to_numpy()
    named, plural = _NAMED[name]
    others = both.assign(off=np.abs(found - kept))[~is_same]
    for owner, rows in others.groupby(named, sort=False, observed=True):
        off = rows.groupby("metric", sort=False, observed=True)["off"].max()
        metrics = [f"{metric} by {'a value' if np.isnan(by) else f'{by:.3g}'}" for metric, by in off.items()]
        shown = [*metrics[:_SHOWN], *([f"{len(metrics) - _SHOWN} more"] if len(metrics) > _SHOWN else [])]
        count = len(rows.drop_duplicates(list(_KEYS[name])))
        whose = f"{count} {plural} of {owner} have" if count > 1 else f"1 {plural[:-1]} of {owner} has"
        yield f"{name}.parquet: {whose} other scores than are kept ({', '.join(shown)}); --redo, and score again", rows

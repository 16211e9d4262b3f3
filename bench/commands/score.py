"""The stage ``score``: from the images of a run to long tables of per-view scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd
from rich.console import Console

from bench.output import print_line
from bench.records.record import Record, Snapshot
from bench.records.store import RunStore
from bench.scores.control_views import ControlViews, control_views, sample_views
from bench.scores.event_table import event_table
from bench.scores.frames import TABLES, owner_of, table_of, write_frame
from bench.scores.scoring import Scores, score_view_sets
from bench.scores.view_set import ViewSet, cell_views, snapshot_views
from bench.study.expand import expand
from bench.study.scorers import check_metrics
from bench.study.study import Study
from bench.watch.divergence import Status
from methods.priors.pipeline.settings import choose_device
from metrics import Metric, metrics
from metrics.suites import find_suite


def score_study(study: Study, store: RunStore, console: Console) -> pd.DataFrame:
    """Score every completed cell, its snapshots and the study's controls with the study's metrics.

    Writes ``scores.parquet``, ``snapshots.parquet``, ``controls.parquet`` and ``metric_columns.parquet``.  Cells that
    diverged or failed have no scores: the report counts them instead.  Scores that exist are read, not computed
    again.

    Returns:
        The table of scores of cells, one row for each cell × view × column.

    Raises:
        InputError: If a record is corrupt or a name is unknown.
        WeightsError: If a scorer's weights are missing or differ from those that their card names, or SDIBENCH_DEVICE
            is not a device of this machine.
    """
    check_metrics(study)
    prompts = {prompt.id: prompt for prompt in study.chosen_prompts()}
    records = [record for record in store.read_all(expand(study)) if record.status is Status.COMPLETED]
    device = choose_device(uses_gpu=find_suite(study.scorer_suite).uses_gpu)
    scorers = [metrics[name](study.scorer_suite, device) for name in study.metrics]
    # the whole set, so that R-precision does not depend on which of its prompts a study takes
    candidates = [prompt.text for prompt in study.prompt_set().prompts]

    samples, why = sample_views(study, scorers, list(prompts.values()), store)
    if why:
        print_line(console, f"{study.name}: {why}")

    def score(sets: Sequence[ViewSet], what: str) -> list[Scores]:
        compared = [replace(views, samples=samples.get(views.prompt.id)) for views in sets]
        return score_view_sets(compared, scorers, candidates, console, what)

    def write(rows: Iterator[dict[str, Any]], name: str) -> pd.DataFrame:
        frame = table_of(rows, TABLES[name])
        write_frame(frame, store.folder / f"{name}.parquet")
        return frame

    cells = score([cell_views(record, prompts[record.cell.prompt_id], store) for record in records], "cells")
    frame = write(_cell_rows(records, cells), "scores")
    snapshots = [(record, snapshot) for record in records for snapshot in record.snapshots]
    on_the_way = score([snapshot_views(r, s, prompts[r.cell.prompt_id], store) for r, s in snapshots], "snapshots")
    write(_snapshot_rows(snapshots, on_the_way), "snapshots")
    controls = control_views(study, records, list(prompts.values()), store, console)
    of_controls = score([control.views for control in controls], "controls")
    write(_control_rows(controls, of_controls, scorers, store), "controls")
    write_frame(_columns_frame(scorers, candidates), store.folder / "metric_columns.parquet")
    event_table(records, store)  # kept for the report, which then has little left to parse
    words = f"{len(records)} completed cells scored, {len(frame)} values"
    print_line(console, f"{study.name}: {words}")
    return frame


def _cell_rows(records: Sequence[Record], scores: Sequence[Scores]) -> Iterator[dict[str, Any]]:
    for record, of_record in zip(records, scores, strict=True):
        azimuths = [view.azimuth_deg for view in record.views]
        for column, values in of_record.items():
            for view, (azimuth, value) in enumerate(zip(azimuths, values, strict=True)):
                yield owner_of(record) | {
                    "prompt": record.cell.prompt,
                    "view": view,
                    "azimuth_deg": azimuth,
                    "metric": column,
                    "value": value,
                }


def _snapshot_rows(snapshots: Sequence[tuple[Record, Snapshot]], scores: Sequence[Scores]) -> Iterator[dict[str, Any]]:
    for (record, snapshot), of_snapshot in zip(snapshots, scores, strict=True):
        when = {"step": snapshot.step, "seconds": snapshot.seconds}
        for column, values in of_snapshot.items():
            for view, value in enumerate(values):
                yield owner_of(record) | when | {"view": view, "metric": column, "value": value}


def _control_rows(
    controls: Sequence[ControlViews], scores: Sequence[Scores], scorers: Sequence[Metric], store: RunStore
) -> Iterator[dict[str, Any]]:
    """Yield every column of every scorer, NaN where the metric does not apply to the control."""
    columns = [column for scorer in scorers for column in scorer.card.column_names]
    for control, of_control in zip(controls, scores, strict=True):
        views = control.views
        for column in columns:
            values: Mapping[int, float] = dict(enumerate(of_control.get(column, ())))
            for view, (azimuth, path) in enumerate(zip(views.azimuth_deg, views.rgb, strict=True)):
                yield {
                    "control": control.name,
                    "title": control.title,
                    "prompt_id": views.prompt.id,
                    "prompt": views.prompt.text,
                    "view": view,
                    "azimuth_deg": azimuth,
                    "metric": column,
                    "value": values.get(view, float("nan")),
                    "rgb_path": str(path.relative_to(store.folder)),  # the run folder may be moved
                }


def _columns_frame(scorers: Sequence[Metric], candidates: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame(
        [
            {
                "metric": column.name,
                "title": column.title,
                "unit": column.unit,
                "direction": column.direction,
                "target": column.target,
                "decimals": column.decimals,
                "scale": column.scale,
                "mean": column.mean,
                "group": column.group,
                "headline": column.headline,
                "card": scorer.card.scored_among(candidates).model_dump_json(),
            }
            for scorer in scorers
            for column in scorer.card.columns
        ]
    )

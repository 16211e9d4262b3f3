"""The stage ``score``: from the images of a run to long tables of per-view scores."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from multiprocessing import get_context
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pandas as pd
from rich.console import Console

from bench.engines.workers import cpu_workers
from bench.errors import InputError
from bench.output import print_line
from bench.records.record import AnyRecord, Snapshot
from bench.records.store import RunStore
from bench.records.study_cells import study_cells
from bench.scores.control_views import ControlViews, control_views, sample_views
from bench.scores.event_table import event_table
from bench.scores.frames import owner_of
from bench.scores.missing_values import describe_missing
from bench.scores.scorers import candidate_texts, load_scorers, scoring_device, scoring_settings
from bench.scores.scoring import Scores, is_scored, score_view_sets
from bench.scores.tables import TABLES, table_of, write_frame
from bench.scores.view_set import ViewSet, cell_sets, snapshot_sets, with_samples
from bench.study.scorers import check_metrics, study_suite
from bench.study.study import Study
from bench.watch.divergence import Status
from metrics import Metric, MetricCard, ReadsText
from reports.frames import listed

#: Views without scores for which it is worth to start another process, which takes seconds to load the models.
_WORTH_A_PROCESS = 200

_Item = TypeVar("_Item")


class _Scored(NamedTuple):
    """The scores of a run."""

    records: list[AnyRecord]  # of the completed cells
    cells: list[Scores]
    snapshots: list[tuple[AnyRecord, Snapshot]]
    snapshot_scores: list[Scores]
    controls: list[ControlViews]
    control_scores: list[Scores]


def score_study(study: Study, store: RunStore, console: Console) -> pd.DataFrame:
    """Score every completed cell, its snapshots and the study's controls with the study's metrics.

    Writes ``scores.parquet``, ``snapshots.parquet``, ``controls.parquet`` and ``metric_columns.parquet``.  Cells that
    diverged or failed have no scores: the report counts them instead.  Scores that exist are read, not computed
    again.  On a CPU with several cores other processes help.

    Returns:
        The table of scores of cells, one row for each cell × view × column.

    Raises:
        InputError: If there is no record, a record is corrupt, a name is unknown, or a metric gives values that are
            not those of its card.
        RunError: If a metric fails.
        WeightsError: If a scorer's weights are missing or differ from those that their card names, or SDIBENCH_DEVICE
            is not a device of this machine.
    """
    stage = _Stage(study, store, console)
    with stage.helped(), scoring_settings(study):
        scored = stage.score()

    def write(rows: Iterator[dict[str, Any]], name: str) -> pd.DataFrame:
        frame = table_of(rows, TABLES[name])
        write_frame(frame, store.folder / f"{name}.parquet")
        return frame

    frame = write(_cell_rows(scored.records, scored.cells), "scores")
    write(_snapshot_rows(scored.snapshots, scored.snapshot_scores), "snapshots")
    write(_control_rows(scored.controls, scored.control_scores, stage.scorers, store), "controls")
    cards = stage.cards()
    write_frame(_columns_frame(cards), store.folder / "metric_columns.parquet")
    event_table(scored.records, store)  # kept for the report, which then has little left to parse
    for card in cards:
        if card.cut:
            print_line(console, f"{study.name}: {card.cut_of_columns}")
    for line in describe_missing(cards, scored.records, scored.cells):
        print_line(console, f"{study.name}: {line}")
    words = f"{len(scored.records)} completed cells scored, {len(frame)} values"
    print_line(console, f"{study.name}: {words}")
    return frame


class _Stage:
    """Everything that scoring a run needs, loaded once per process."""

    def __init__(self, study: Study, store: RunStore, console: Console) -> None:
        check_metrics(study)
        self.study, self.store, self.console = study, store, console
        cells, unknown_part = study_cells(study, store)
        if unknown_part:
            print_line(console, f"{unknown_part}: cells are those of the records")
        recorded = store.read_all(cells)
        if not recorded:
            raise InputError(f"{store.folder}: has no records of {study.name} yet; run it first")
        self.records = [record for record in recorded if record.status is Status.COMPLETED]
        seen = {record.cell.prompt_id for record in recorded}  # a prompt without a record has nothing to compare
        self.prompts = {prompt.id: prompt for prompt in study.chosen_prompts() if prompt.id in seen}
        self.suite = study_suite(study)
        self.scorers = load_scorers(study)
        self.candidates = candidate_texts(study)

    def score(self, start: float = 0.0) -> _Scored:
        """Score what is not scored, in order, beginning after a share ``start`` of everything and going round."""
        study, store, prompts = self.study, self.store, _rotated(list(self.prompts.values()), start)
        samples, why = sample_views(study, self.scorers, prompts, store)
        if why:
            print_line(self.console, f"{study.name}: {why}")

        def score(sets: Sequence[ViewSet], what: str) -> list[Scores]:
            compared = with_samples(_rotated(sets, start), samples)
            return score_view_sets(compared, self.scorers, self.candidates, self.console, what)

        sets = cell_sets(self.records, self.prompts, store)
        if line := self._describe_lone(sets):
            print_line(self.console, f"{study.name}: {line}")
        cells = score(sets, "cells")
        snapshots = [(record, snapshot) for record in self.records for snapshot in record.snapshots]
        on_the_way = score(snapshot_sets(snapshots, self.prompts, store), "snapshots")
        controls = control_views(study, self.records, prompts, store, self.console)
        of_controls = score([control.views for control in controls], "controls")
        return _Scored(self.records, cells, snapshots, on_the_way, controls, of_controls)

    def cards(self) -> list[MetricCard]:
        """The cards to be printed with the scores."""
        cards = []
        for scorer in self.scorers:
            card = scorer.card.scored_among(self.candidates, self.suite.name)
            if isinstance(scorer, ReadsText):
                card = card.reading({key: scorer.tokens_cut(prompt.text) for key, prompt in self.prompts.items()})
            cards.append(card)
        return cards

    @contextmanager
    def helped(self) -> Iterator[None]:
        """Let other processes score in the block, each beginning elsewhere; what fails there is left to this one."""
        samples, _ = sample_views(self.study, self.scorers, list(self.prompts.values()), self.store, makes=False)
        sets = with_samples(cell_sets(self.records, self.prompts, self.store), samples)
        missing = [views for views in sets if not is_scored(views, self.scorers, self.candidates)]
        worth = scoring_device(self.study) == "cpu" and sum(map(len, missing)) >= _WORTH_A_PROCESS
        count = cpu_workers(self.study.threads) if worth else 1
        context = get_context("spawn")
        helpers = [
            context.Process(target=_help, args=(self.study, self.store.folder, index / count), daemon=True)
            for index in range(1, count)
        ]
        for helper in helpers:
            helper.start()
        try:
            yield
        finally:
            for helper in helpers:
                helper.terminate()
                helper.join()

    def _describe_lone(self, sets: Sequence[ViewSet]) -> str:
        """Describe the cells that metrics over seeds have no value for; "" if there are none."""
        over_seeds = [scorer.card.name for scorer in self.scorers if scorer.card.uses_seeds]
        lone = sum(not views.others for views in sets)
        if not over_seeds or not lone:
            return ""
        return (
            f"no {listed(over_seeds, 'and')} for {lone} of {len(sets)} completed cells: the arm has no other seed of "
            "the prompt that completed"
        )


def _help(study: Study, folder: Path, start: float) -> None:
    """Score in a process of its own; its scores are found on disk."""
    with suppress(Exception):
        stage = _Stage(study, RunStore(folder), Console(quiet=True))
        with scoring_settings(study):
            stage.score(start)


def _rotated(items: Sequence[_Item], start: float) -> list[_Item]:
    first = int(start * len(items))
    return [*items[first:], *items[:first]]


def _cell_rows(records: Sequence[AnyRecord], scores: Sequence[Scores]) -> Iterator[dict[str, Any]]:
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


def _snapshot_rows(
    snapshots: Sequence[tuple[AnyRecord, Snapshot]], scores: Sequence[Scores]
) -> Iterator[dict[str, Any]]:
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


def _columns_frame(cards: Sequence[MetricCard]) -> pd.DataFrame:
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
                "card": card.model_dump_json(),
            }
            for card in cards
            for column in card.columns
        ]
    )

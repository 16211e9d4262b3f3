"""Whether a run folder holds what it should: every record, every file, and scores that come out again."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table

from bench.commands.derived_files import find_damage, made_with
from bench.errors import InputError, StorageError, VersionError
from bench.output import print_line
from bench.records.check_files import check_files
from bench.records.record import AnyRecord
from bench.records.store import RunStore
from bench.scores.altered_tables import altered_tables
from bench.scores.checked_scores import checked_scores
from bench.scores.control_views import sample_views
from bench.scores.scorers import candidate_texts, load_scorers, scoring_settings
from bench.scores.scoring import kept_scores, with_needed
from bench.scores.tables import read_card, read_frame
from bench.scores.view_set import cell_sets
from bench.study.cell import Cell
from bench.study.imported_arms import all_cells
from bench.study.imported_cell import AnyCell
from bench.study.pinning import check_prior
from bench.study.study import Study
from bench.watch.divergence import Status
from methods.priors.pipeline.settings import NoDeviceError
from methods.registry import UnknownNameError
from methods.weights import WeightsError, WeightsMissingError
from metrics.card import MetricCard
from reports.frames import METRIC_COLUMNS, SCORES

#: How far a score may be from the one that was written, absolute and relative: other processors round otherwise.
TOLERANCE = 1e-4


#: What can be wrong, and how a summary calls it.  What is unreadable or of another version is not known to be damaged.
Kind = Literal["missing", "corrupt", "unreadable", "version", "damaged", "score", "weights"]
_KINDS: Mapping[Kind, str] = {
    "missing": "records missing",
    "corrupt": "records corrupt",
    "unreadable": "records and files unreadable",
    "version": "records and files of another version",
    "damaged": "other files damaged",
    "weights": "models whose weights are others",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    what: Kind
    """The kind of problem."""
    line: str
    """The place and the reason."""
    paths: tuple[Path, ...] = ()
    """Paths to set aside, so that they are made again; none to leave everything in place."""


def verify_run(
    study: Study, store: RunStore, console: Console, *, rescored: int = 4, seed: int = 0, redo: bool = False
) -> bool:
    """Check a run folder and print what was found.

    The prior's weights are compared with those of the run if they are on this machine, and not needed otherwise.

    Args:
        study: What the folder should hold.
        store: The run folder.
        console: Where the findings go.
        rescored: Completed cells whose scores are computed again and compared with ``scores.parquet``.
        seed: Which ones.
        redo: Set aside corrupt records, damaged files that can be made again, and the kept scores of cells that score
            otherwise, so that the next ``run``, ``score`` and ``report`` make them again.  Nothing is deleted.

    Returns:
        Whether every record is there and everything is right.

    Raises:
        InputError: If the folder holds another study.
        WeightsError: If a scorer's weights are not those that its card names.
    """
    study = store.check(study)
    cells = all_cells(study)
    records, findings = _check_records(study, cells, store)
    for damage in find_damage(store):
        kind: Kind = "unreadable" if damage.is_unreadable else "damaged"
        path = None if damage.is_unreadable else made_with(damage.path, store)
        findings.append(Finding(kind, damage.line, (path,) if path else ()))
    sample = _sample(records, rescored, seed)
    scores, why = _scores(store)
    if scores is not None:
        try:
            with scoring_settings(study):
                findings += _scored_otherwise(study, store, records, sample, scores)
            why = f"{len(sample)} cells scored again"
        except (WeightsMissingError, NoDeviceError) as error:
            why = f"none scored again: {error}"
    findings += _other_prior(study)
    _show(study, store, console, cells, findings, why, records)
    if redo:
        for path in dict.fromkeys(path for finding in findings for path in finding.paths):
            if path.exists():
                store.set_aside(path)
                print_line(console, f"set aside: {path}")
    return not findings


def _check_records(study: Study, cells: Sequence[AnyCell], store: RunStore) -> tuple[list[AnyRecord], list[Finding]]:
    """Read the record of every cell with all of its files; return those that are right, and what is wrong."""
    findings: list[Finding] = []
    records: list[AnyRecord] = []
    for cell in cells:
        folder = store.cell_folder(cell)
        try:
            record = store.read(cell)
            if record is None:
                findings.append(Finding("missing", f"{folder}: no record yet"))
                findings += _later_checkpoint(cell, study, store) if isinstance(cell, Cell) else ()
                continue
            check_files(record, folder)
            records.append(record)
        except StorageError as error:
            findings.append(Finding("unreadable", str(error)))
        except VersionError as error:
            findings.append(Finding("version", str(error)))
        except InputError as error:
            findings.append(Finding("corrupt", str(error), (folder,)))
    return records, findings


def _later_checkpoint(cell: Cell, study: Study, store: RunStore) -> Iterator[Finding]:
    """Find a checkpoint of a later version; one that is damaged or unreadable is found with the other files."""
    try:
        store.checkpoint(cell, study).load()
    except StorageError:
        return
    except VersionError as error:
        yield Finding("version", str(error))


def _sample(records: Sequence[AnyRecord], count: int, seed: int) -> list[AnyRecord]:
    completed = [record for record in records if record.status is Status.COMPLETED]
    chosen = np.random.default_rng(seed).permutation(len(completed))[:count]
    return [completed[index] for index in sorted(chosen)]


def _scores(store: RunStore) -> tuple[pd.DataFrame | None, str]:
    """The run's scores, or why there are none to compare with."""
    path = store.folder / "scores.parquet"
    if not path.exists():
        return None, "not scored yet"
    try:
        read_frame(path.with_name("metric_columns.parquet"), METRIC_COLUMNS)
        return read_frame(path, SCORES), ""
    except InputError:
        return None, "damaged"


def _scored_otherwise(
    study: Study, store: RunStore, records: Sequence[AnyRecord], sample: Sequence[AnyRecord], scores: pd.DataFrame
) -> Iterator[Finding]:
    """Score a sample of the records again, each compared with the other seeds that were there when it was scored."""
    scorers = load_scorers(study)
    yield from _other_weights(store, [scorer.card for scorer in scorers])
    prompts = {prompt.id: prompt for prompt in study.chosen_prompts()}
    candidates = candidate_texts(study)
    samples, _ = sample_views(study, scorers, list(prompts.values()), store)
    completed = [record for record in records if record.status is Status.COMPLETED]
    for altered in altered_tables(study, store, completed, scorers, samples):
        # which of the two is wrong is not known, and both are made again
        yield Finding("score", altered.line, (store.folder / f"{altered.table}.parquet", *altered.kept))
    scored = set(scores["cell"])
    lost = scored - {record.identity for record in records}
    groups_lost = {_group(cell) for cell in all_cells(study) if cell.identity in lost}
    for record in sample:
        mine = scores[scores["cell"] == record.identity]
        written = {metric: rows["value"].to_numpy(float) for metric, rows in mine.groupby("metric", sort=False)}
        prompt = prompts[record.cell.prompt_id]
        try:
            group = [
                each
                for each in records
                if _group(each.cell) == _group(record.cell) and (each.identity in scored or each is record)
            ]
            views = replace(cell_sets(group, prompts, store)[group.index(record)], samples=samples.get(prompt.id))
            images = with_needed(views, scorers).read()
        except InputError as error:  # the truth's: the record's own images are right
            yield Finding("unreadable" if isinstance(error, StorageError) else "damaged", str(error))
            continue
        # the table was compared with what is kept, which is compared with what is right
        kept = kept_scores(views, scorers, candidates)
        written |= {name: np.array(values, float) for name, values in kept.items() if name in written}
        for scorer in scorers:
            if scorer.card.uses_seeds and _group(record.cell) in groups_lost:
                continue
            again = checked_scores(scorer, images, prompt.text, candidates, record.cell.folder_name)
            for metric, values in again.items():
                if (line := _off(written.get(metric), np.array(values, float))) is not None:
                    where = f"scores.parquet: {metric} of {record.cell.folder_name}"
                    yield Finding("score", f"{where}: {line}", (store.folder / "scores" / record.cell.folder_name,))


def _group(cell: AnyCell) -> tuple[str, str]:
    """The arm and the prompt, whose cells differ by their seeds."""
    return cell.label, cell.prompt_id


def _other_prior(study: Study) -> Iterator[Finding]:
    """The prior whose weights here are not those that the run was started with."""
    try:
        check_prior(study)
    except (UnknownNameError, WeightsMissingError):  # on a machine that only scores and reports
        return
    except (InputError, WeightsError) as error:
        yield Finding("weights", str(error))


def _other_weights(store: RunStore, cards: Sequence[MetricCard]) -> Iterator[Finding]:
    """The scorers whose weights here are not those that the run was scored with."""
    frame = read_frame(store.folder / "metric_columns.parquet", METRIC_COLUMNS)
    written = dict(zip(frame["metric"], frame["card"], strict=True))
    for card in cards:
        for metric in card.column_names:
            try:
                was = read_card(written[metric], metric, store.folder).weights_sha256 if metric in written else None
            except InputError as error:
                yield Finding("damaged", str(error), (store.folder / "metric_columns.parquet",))
                continue
            if was is not None and was != card.weights_sha256:
                line = f"{metric} was scored with weights {was[:12] or 'none'}, here are {card.weights_sha256[:12]}"
                yield Finding("weights", line)


def _off(written: np.ndarray | None, again: np.ndarray) -> str | None:
    """Describe how the scores that were written differ from those computed again; None if they agree."""
    if written is None or len(written) != len(again):
        return "not there; score the run again"
    if np.allclose(written, again, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        return None
    lost, found = np.isnan(again) & ~np.isnan(written), np.isnan(written) & ~np.isnan(again)
    if lost.any() or found.any():  # no difference, so that the largest one would be of other views
        what = "it has no value" if lost.any() else "it has a value, which is not there"
        return f"scored again {what}, for {(lost | found).sum()} of {len(again)} views"
    return f"scored again it is off by {np.nanmax(np.abs(written - again), initial=0):.3g}"


def _show(
    study: Study,
    store: RunStore,
    console: Console,
    cells: Sequence[AnyCell],
    findings: Sequence[Finding],
    scores: str,
    right: Sequence[AnyRecord],
) -> None:
    wrong = Counter(finding.what for finding in findings)
    others = {path.name for path in store.record_folders()} - {cell.folder_name for cell in cells}
    table = Table("what", "found", title=f"{study.name}: {store.folder}")
    table.add_row("cells", str(len(cells)))
    table.add_row("records that are right", str(len(right)))
    if unsealed := sum(record.record_sha256 is None for record in right):
        table.add_row("of these without a SHA-256, whose numbers may have been changed", str(unsealed))
    for kind, title in _KINDS.items():
        table.add_row(title, str(wrong[kind]))
    table.add_row("scores", f"{scores}, {wrong['score']} wrong (tolerance {TOLERANCE:g})")
    table.add_row("records of other cells, not looked at", str(len(others)))
    console.print(table)
    for finding in findings:
        print_line(console, f"{finding.what}: {finding.line}")

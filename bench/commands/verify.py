"""Whether a run folder holds what it should: every record, every file, and scores that come out again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from rich.console import Console
from rich.table import Table
from safetensors import SafetensorError, safe_open

from bench.errors import InputError
from bench.records.record import EVENTS_FILE, SCENE_FILE, Record, RecordedView
from bench.records.store import RunStore, read_events
from bench.scores.frames import read_card, read_frame
from bench.scores.truth import read_image
from bench.scores.view_set import cell_views
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.pinning import check_prior
from bench.study.study import Study
from bench.watch.divergence import Status
from methods.registry import UnknownNameError
from methods.weights import WeightsError, WeightsMissingError, file_sha256
from metrics import metrics
from metrics.card import MetricCard
from reports.frames import METRIC_COLUMNS, SCORES

#: How far a score may be from the one that was written, absolute and relative: other processors round otherwise.
TOLERANCE = 1e-4


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong."""

    cell: Cell | None
    """With which cell; None for the whole run."""
    what: str
    """``missing``, ``corrupt``, ``score`` or ``weights``."""
    line: str
    """Where and why."""


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
        redo: Set corrupt records aside, and the kept scores of cells that score otherwise, so that the next ``run``
            and ``score`` do them again.  Nothing is deleted.

    Returns:
        Whether every record is there and everything is right.

    Raises:
        InputError: If the folder holds another study.
        WeightsError: If a scorer's weights are not those that its card names.
    """
    study = store.check(study)
    cells = expand(study)
    findings: list[Finding] = []
    records: list[Record] = []
    for cell in cells:
        try:
            record = store.read(cell)
            if record is None:
                findings.append(Finding(cell, "missing", f"{store.cell_folder(cell)}: no record yet"))
                continue
            check_files(record, store.cell_folder(cell))
            records.append(record)
        except InputError as error:
            findings.append(Finding(cell, "corrupt", str(error)))
    sample = _sample(records, rescored, seed)
    scores, why = _scores(store)
    if scores is not None:
        try:
            findings += _scored_otherwise(study, store, sample, scores)
            why = f"{len(sample)} cells scored again"
        except WeightsMissingError as error:
            why = f"none scored again: {error}"
    findings += _other_prior(study)
    _show(study, store, console, cells, findings, why)
    if redo:
        for finding in findings:
            _set_aside(finding, store, console)
    return not findings


def check_files(record: Record, folder: Path) -> None:
    """Read every file of a record that ``read_record`` has found there, to the last byte.

    Raises:
        InputError: If a file has other content than was written, or is not what its name says.
    """
    for name, expected in record.file_sha256.items():
        found = file_sha256(folder / name) if name in record.file_bytes else "of no file"
        if found != expected:
            raise InputError(f"{folder / name}: corrupt record: SHA-256 is {found:.12}…, was {expected:.12}…")
    side = record.cell.evaluation.resolution
    for view in _views(record):
        for name in filter(None, (view.rgb, view.opacity, view.normals)):
            _check_image(folder / name, side)
    if SCENE_FILE in record.file_bytes:
        try:
            with safe_open(folder / SCENE_FILE, framework="pt") as file:
                for name in file.keys():  # noqa: SIM118, no dict
                    file.get_tensor(name)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{folder / SCENE_FILE}: corrupt record: no safetensors ({error})") from error
    if EVENTS_FILE in record.file_bytes and (steps := len(read_events(folder))) != record.steps_done:
        raise InputError(f"{folder / EVENTS_FILE}: corrupt record: has {steps} steps, the record {record.steps_done}")


def _views(record: Record) -> Iterator[RecordedView]:
    yield from record.views
    for snapshot in record.snapshots:
        yield from snapshot.views


def _check_image(path: Path, side: int) -> None:
    height, width, *_ = read_image(path).shape
    if (height, width) != (side, side):
        raise InputError(f"{path}: corrupt record: is of {width} × {height} pixels, not {side} × {side}")


def _sample(records: Sequence[Record], count: int, seed: int) -> list[Record]:
    completed = [record for record in records if record.status is Status.COMPLETED]
    chosen = np.random.default_rng(seed).permutation(len(completed))[:count]
    return [completed[index] for index in sorted(chosen)]


def _scores(store: RunStore) -> tuple[pd.DataFrame | None, str]:
    """The run's scores, or why there are none to compare with."""
    path = store.folder / "scores.parquet"
    if not path.exists():
        return None, "not scored yet"
    try:
        return read_frame(path, SCORES), ""
    except InputError as error:
        return None, str(error)


def _scored_otherwise(
    study: Study, store: RunStore, sample: Sequence[Record], scores: pd.DataFrame
) -> Iterator[Finding]:
    scorers = [metrics[name](study.scorer_suite) for name in study.metrics]
    yield from _other_weights(store, [scorer.card for scorer in scorers])
    prompts = {prompt.id: prompt for prompt in study.chosen_prompts()}
    candidates = [prompt.text for prompt in study.prompt_set().prompts]
    for record in sample:
        mine = scores[scores["cell"] == record.identity]
        written = {metric: rows["value"].to_numpy(float) for metric, rows in mine.groupby("metric", sort=False)}
        prompt = prompts[record.cell.prompt_id]
        views = cell_views(record, prompt, store).read()
        for scorer in scorers:
            for metric, values in scorer.score(views, prompt.text, candidates).items():
                if (line := _off(written.get(metric), np.array(values, float))) is not None:
                    where = f"scores.parquet: {metric} of {record.cell.folder_name}"
                    yield Finding(record.cell, "score", f"{where}: {line}")


def _other_prior(study: Study) -> Iterator[Finding]:
    """The prior whose weights here are not those that the run was started with."""
    try:
        check_prior(study)
    except (UnknownNameError, WeightsMissingError):  # on a machine that only scores and reports
        return
    except (InputError, WeightsError) as error:
        yield Finding(None, "weights", str(error))


def _other_weights(store: RunStore, cards: Sequence[MetricCard]) -> Iterator[Finding]:
    """The scorers whose weights here are not those that the run was scored with."""
    frame = read_frame(store.folder / "metric_columns.parquet", METRIC_COLUMNS)
    written = dict(zip(frame["metric"], frame["card"], strict=True))
    for card in cards:
        for metric in card.column_names:
            was = read_card(written[metric], metric, store.folder).weights_sha256 if metric in written else None
            if was is not None and was != card.weights_sha256:
                line = f"{metric} was scored with weights {was[:12] or 'none'}, here are {card.weights_sha256[:12]}"
                yield Finding(None, "weights", line)


def _off(written: np.ndarray | None, again: np.ndarray) -> str | None:
    """How the scores that were written differ from those computed again; None where they agree."""
    if written is None or len(written) != len(again):
        return "not there; score the run again"
    if np.allclose(written, again, rtol=TOLERANCE, atol=TOLERANCE, equal_nan=True):
        return None
    return f"scored again it is off by {np.nanmax(np.abs(written - again), initial=0):.3g}"


def _show(
    study: Study, store: RunStore, console: Console, cells: Sequence[Cell], findings: Sequence[Finding], scores: str
) -> None:
    wrong = {
        kind: sum(finding.what == kind for finding in findings) for kind in ("missing", "corrupt", "score", "weights")
    }
    others = {path.name for path in store.record_folders()} - {cell.folder_name for cell in cells}
    table = Table("what", "found", title=f"{study.name}: {store.folder}")
    table.add_row("cells", str(len(cells)))
    table.add_row("records that are right", str(len(cells) - wrong["missing"] - wrong["corrupt"]))
    table.add_row("missing", str(wrong["missing"]))
    table.add_row("corrupt", str(wrong["corrupt"]))
    table.add_row("scores", f"{scores}, {wrong['score']} wrong (tolerance {TOLERANCE:g})")
    table.add_row("models whose weights are others", str(wrong["weights"]))
    table.add_row("records of other cells, not looked at", str(len(others)))
    console.print(table)
    for finding in findings:
        console.print(f"{finding.what}: {finding.line}", markup=False, highlight=False, soft_wrap=True)


def _set_aside(finding: Finding, store: RunStore, console: Console) -> None:
    if finding.cell is None:
        return
    folders = {
        "corrupt": store.cell_folder(finding.cell),
        "score": store.folder / "scores" / finding.cell.folder_name,
    }
    folder = folders.get(finding.what)
    if folder is not None and folder.exists():
        store.set_aside(folder)
        console.print(f"set aside: {folder}", markup=False, highlight=False, soft_wrap=True)

"""The data frames that a report is made of, from the records of a run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute

from bench.atomic import new_file
from bench.errors import InputError
from bench.event_table import event_table, read_columns
from bench.record import Record
from bench.store import RunStore
from bench.truth import truth_folders
from metrics.card import MetricCard
from prompts import Prompt
from reports import ReportFrames
from reports.frames import CELLS, CONTROLS, GROUND_TRUTH, METRIC_COLUMNS, SCORES, SNAPSHOTS, VIEWS

SCORE_COLUMNS = tuple(SCORES)
SNAPSHOT_COLUMNS = tuple(SNAPSHOTS)
CONTROL_COLUMNS = tuple(CONTROLS)
_WHO = pa.schema([("cell", pa.string()), ("method", pa.string()), ("prompt_id", pa.string()), ("seed", pa.int64())])
_REPEATED = ("cell", "method", "prompt_id", "prompt", "metric")


def build_frames(records: Sequence[Record], prompts: Sequence[Prompt], store: RunStore) -> ReportFrames:
    """The frames of a run, also written as Parquet beside its records.

    Raises:
        InputError: If the run has not been scored yet, or a table cannot be read.
    """
    parts = {}
    for name, build in {
        "cells": lambda: cells_frame(records, store),
        "events": lambda: event_table(records, store),
        "views": lambda: _views(records, prompts, store),
        "scores": lambda: _of(records, read_frame(store.folder / "scores.parquet", SCORES, repeated=_REPEATED)),
        "metric_columns": lambda: read_frame(store.folder / "metric_columns.parquet", METRIC_COLUMNS),
        "snapshots": lambda: _of(records, _read_or_empty(store.folder / "snapshots.parquet", SNAPSHOTS)),
        "controls": lambda: _controls(store),
    }.items():
        parts[name] = build()
        pa.default_memory_pool().release_unused()  # else what building one took stays beside the next
    frames = ReportFrames(**parts)
    for name in ("cells", "views"):  # event_table keeps its own
        write_frame(getattr(frames, name), store.folder / f"{name}.parquet")
    return frames


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write Parquet so that a reader sees the old file or the new one.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    with new_file(path) as temporary:
        frame.to_parquet(temporary, index=False)


def read_frame(path: Path, columns: Iterable[str], *, repeated: Sequence[str] = ()) -> pd.DataFrame:
    """A table of a scored run.

    Args:
        path: Its file.
        columns: What it must have.
        repeated: Columns of words that recur in millions of rows, held once (categories).

    Raises:
        InputError: If it is not there, cannot be read or lacks one of the ``columns``.
    """
    if not path.is_file():
        raise InputError(f"{path}: is missing; score the run first (sdibench score {path.parent})")
    try:
        frame = read_columns(path, repeated)
    except (OSError, ValueError, KeyError) as error:  # pyarrow's errors are some of these
        raise InputError(f"{path}: cannot be read ({error!s:.200}); score the run again") from error
    for column in columns:
        if column not in frame.columns:
            raise InputError(f"{path}: has no column {column!r}; score the run again")
    for column in {"value", "scale"} & set(frame.columns):
        if len(frame) and not pd.api.types.is_numeric_dtype(frame[column]):
            raise InputError(f"{path}: column {column!r} is not of numbers; score the run again")
    return frame


def read_card(text: object, metric: str, folder: Path) -> MetricCard:
    """The card that a metric was scored with.

    Raises:
        InputError: If ``text`` is none.
    """
    where = folder / "metric_columns.parquet"
    try:
        card = MetricCard.model_validate_json(str(text))
    except ValueError as error:
        raise InputError(f"{where}: {metric} has no card ({error!s:.200}); score the run again") from error
    if metric not in card.column_names:
        raise InputError(f"{where}: {metric} is no column of its card; score the run again")
    return card


def _of(records: Sequence[Record], scores: pd.DataFrame) -> pd.DataFrame:
    ours = scores["cell"].isin([record.identity for record in records])
    return scores if ours.all() else scores[ours]


def _controls(store: RunStore) -> pd.DataFrame:
    controls = _read_or_empty(store.folder / "controls.parquet", CONTROLS)
    return controls.assign(rgb_path=[_within(store.folder, path) for path in controls["rgb_path"]])


def _read_or_empty(path: Path, columns: Mapping[str, str]) -> pd.DataFrame:
    """What a run has that was scored since there are such tables; no rows for one scored before."""
    return read_frame(path, columns) if path.is_file() else pd.DataFrame(columns=list(columns))


def _within(folder: Path, path: object) -> str:
    """A path that a table of the run folder names, which must not lead out of it."""
    relative = Path(str(path))
    if relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"{folder / 'controls.parquet'}: rgb_path = {path!r}: must lie in the run folder; score again")
    return str(folder / relative)


def cells_frame(records: Sequence[Record], store: RunStore) -> pd.DataFrame:
    """One row for each record, in their order."""
    rows = []
    for record in records:
        why = record.divergence or (record.failure and f"{record.failure.kind}: {record.failure.message}")
        rows.append(
            _who(record)
            | {
                "prompt": record.cell.prompt,
                "settings": record.cell.model_dump_json(),
                "status": str(record.status),
                "steps": record.steps_done,
                "seconds": record.seconds.total,
                "optimise_seconds": record.seconds.optimise,
                "peak_bytes": record.memory.peak_bytes,
                "peak_kind": record.memory.kind,
                "reserved_bytes": record.memory.reserved_bytes,
                "energy_joules": record.energy_joules,
                "attempts": record.attempts,
                "prior_sha256": record.cell.prior_sha256,
                "mesh_path": None,
                "unet_calls": record.unet_calls,
                "unet_rows": record.unet_rows,
                "device": record.environment.device,
                "git_commit": record.environment.git_commit,
                "git_dirty": record.environment.git_dirty,
                "folder": str(store.cell_folder(record.cell)),
                "failure": str(why) if why else None,
            }
        )
    return pd.DataFrame(rows, columns=list(CELLS))


def _views(records: Sequence[Record], prompts: Sequence[Prompt], store: RunStore) -> pd.DataFrame:
    """Built in Arrow: the paths of hundreds of thousands of pictures would take three times the memory as objects."""
    owner = pa.array(np.repeat(np.arange(len(records)), [len(record.views) for record in records]))
    views = [view for record in records for view in record.views]
    folders = [str(store.cell_folder(record.cell)) for record in records]
    folder = pa.array(folders, pa.string()).take(owner)
    who = pa.Table.from_pylist([_who(record) for record in records], schema=_WHO).take(owner)
    columns = {
        "view": pa.array([index for record in records for index in range(len(record.views))], pa.int64()),
        "azimuth_deg": pa.array([view.azimuth_deg for view in views], pa.float64()),
    } | {
        f"{name}_path": pyarrow.compute.binary_join_element_wise(folder, pa.array(files, pa.string()), "/")
        for name, files in (("rgb", [view.rgb for view in views]), ("opacity", [view.opacity for view in views]))
    }
    frame = pa.table({**{name: who[name] for name in who.column_names}, **columns}).to_pandas()
    normals = [
        f"{folder}/{view.normals}" if view.normals else None
        for folder, record in zip(folders, records, strict=True)
        for view in record.views
    ]
    frame["normal_path"] = pd.Series(normals, dtype=object)  # None where there is none
    with_views = {record.cell.prompt_id: record for record in reversed(records) if record.views}  # the first of each
    truths = [
        row
        for prompt in prompts
        if (like := with_views.get(prompt.id)) is not None
        for row in _truth_rows(prompt, like, store)
    ]
    return pd.concat([frame, pd.DataFrame(truths, columns=list(VIEWS))], ignore_index=True) if truths else frame


def _truth_rows(prompt: Prompt, like: Record, store: RunStore) -> list[dict[str, Any]]:
    """The views of the first object that fits the prompt, from the cameras of ``like``."""
    folders = truth_folders(prompt, like.cell.evaluation, store.folder / "truth")
    return [
        {
            "cell": "",
            "method": GROUND_TRUTH,
            "prompt_id": prompt.id,
            "seed": like.cell.seed,
            "view": index,
            "azimuth_deg": view.azimuth_deg,
            "rgb_path": str(folder / f"rgb_{index:03}.png"),
            "opacity_path": str(folder / f"opacity_{index:03}.png"),
            "normal_path": None,
        }
        for folder in folders[:1]
        for index, view in enumerate(like.views)
    ]


def _who(record: Record) -> dict[str, Any]:
    cell = record.cell
    return {"cell": record.identity, "method": cell.label, "prompt_id": cell.prompt_id, "seed": cell.seed}

"""The data frames that a report is made of, from the records of a run."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute
import pyarrow.parquet

from bench.errors import InputError
from bench.records.record import AnyRecord, ImportedRecord, Record
from bench.records.store import RunStore
from bench.scores.event_table import event_table
from bench.scores.tables import read_frame, write_frame
from bench.scores.truth import truth_folders
from bench.watch.environment import Environment
from prompts import Prompt
from reports import ReportFrames
from reports.frames import CELLS, CONTROLS, EVENTS, GROUND_TRUTH, METRIC_COLUMNS, SCORES, SNAPSHOTS, VIEWS

#: The columns of numbers in the table of cells, which imported cells do not have.
_COSTS = ("steps", "seconds", "optimise_seconds", "peak_bytes", "attempts", "unet_calls", "unet_rows")

_OWNER = pa.schema([("cell", pa.string()), ("method", pa.string()), ("prompt_id", pa.string()), ("seed", pa.int64())])
_REPEATED = ("cell", "method", "prompt_id", "prompt", "metric")


def build_frames(records: Sequence[AnyRecord], prompts: Sequence[Prompt], store: RunStore) -> ReportFrames:
    """Build the frames of a run, and write those of cells and views to its folder as Parquet.

    Raises:
        InputError: If the run has not been scored yet, or a table cannot be read.
    """
    kept = {"views": store.folder / "views.parquet", "cells": store.folder / "cells.parquet"}
    parts = {}
    for name, build in {  # the largest come first, while little memory is in use
        "scores": lambda: _of(records, read_frame(store.folder / "scores.parquet", SCORES, repeated=_REPEATED)),
        "events": lambda: event_table(records, store),
        "views": lambda: _views(records, prompts, store),
        "cells": lambda: cells_frame(records, store),
        "metric_columns": lambda: read_frame(store.folder / "metric_columns.parquet", METRIC_COLUMNS),
        "snapshots": lambda: _of(records, read_frame(store.folder / "snapshots.parquet", SNAPSHOTS)),
        "controls": lambda: _controls(store),
    }.items():
        parts[name] = build()
        if name in kept:
            write_frame(parts[name], kept[name])
        pa.default_memory_pool().release_unused()  # otherwise the memory of one is still held while the next is built
    return ReportFrames(**parts)


def table_frames(records: Sequence[AnyRecord], store: RunStore) -> ReportFrames:
    """Build the frames that tables are made of, without those of steps and views; writes nothing.

    Raises:
        InputError: As ``build_frames``.
    """
    return ReportFrames(
        cells=cells_frame(records, store),
        scores=_of(records, read_frame(store.folder / "scores.parquet", SCORES)),
        events=pd.DataFrame(columns=list(EVENTS)),
        views=pd.DataFrame(columns=list(VIEWS)),
        metric_columns=read_frame(store.folder / "metric_columns.parquet", METRIC_COLUMNS),
        controls=_controls(store),
    )


def _of(records: Sequence[AnyRecord], scores: pd.DataFrame) -> pd.DataFrame:
    ours = scores["cell"].isin([record.identity for record in records])
    return scores if ours.all() else scores[ours]


def _controls(store: RunStore) -> pd.DataFrame:
    controls = read_frame(store.folder / "controls.parquet", CONTROLS)
    return controls.assign(rgb_path=[_within(store.folder, path) for path in controls["rgb_path"]])


def _within(folder: Path, path: object) -> str:
    """Join a path of a table to the run folder, which it must not leave."""
    relative = Path(str(path))
    if relative.is_absolute() or ".." in relative.parts:
        raise InputError(f"{folder / 'controls.parquet'}: rgb_path = {path!r}: must lie in the run folder; score again")
    return str(folder / relative)


def cells_frame(records: Sequence[AnyRecord], store: RunStore) -> pd.DataFrame:
    """Build one row per record, in their order; imported ones have no cost."""
    of_a_record: dict[str, Callable[[AnyRecord], Any]] = {
        "cell": lambda record: record.identity,
        "method": lambda record: record.cell.title,
        "prompt_id": lambda record: record.cell.prompt_id,
        "prompt": lambda record: record.cell.prompt,
        "seed": lambda record: record.cell.seed,
        "settings": lambda record: record.cell.model_dump_json(),
        "status": lambda record: str(record.status),
        "provenance": lambda record: "imported" if isinstance(record, ImportedRecord) else "measured",
        "steps": _measured(lambda record: record.steps_done),
        "seconds": _measured(lambda record: record.seconds.total),
        "optimise_seconds": _measured(lambda record: record.seconds.optimise),
        "peak_bytes": _measured(lambda record: record.memory.arm_bytes),
        "peak_kind": _measured(lambda record: record.memory.kind),
        "reserved_bytes": _measured(lambda record: record.memory.arm_reserved_bytes),
        "energy_joules": _measured(lambda record: record.energy_joules),
        "attempts": _measured(lambda record: record.attempts),
        "prior_sha256": _measured(lambda record: record.cell.prior_sha256),
        "mesh_path": lambda _: None,
        "unet_calls": _measured(lambda record: record.unet_calls),
        "unet_rows": _measured(lambda record: record.unet_rows),
        "device": _measured(lambda record: _device(record.environment)),
        "git_commit": lambda record: record.environment.git_commit,
        "git_dirty": lambda record: record.environment.git_dirty,
        "folder": lambda record: str(store.cell_folder(record.cell)),
        "failure": lambda record: record.reason,
    }
    # column by column: ten thousand dicts would take more memory than the frame
    frame = pd.DataFrame({name: list(map(of_a_record[name], records)) for name in CELLS})
    nothing = [name for name in _COSTS if frame[name].isna().all()]  # numbers nevertheless, which no value shows
    return frame.astype(dict.fromkeys(nothing, "float64"))


def _measured(read: Callable[[Record], Any]) -> Callable[[AnyRecord], Any]:
    """A field of the records of optimisations, which is None for others."""
    return lambda record: read(record) if isinstance(record, Record) else None


def _device(environment: Environment) -> str:
    """The name of the hardware; of a GPU also the backends, which are plain torch on every CPU."""
    if environment.gpu is None:
        return environment.device
    return ", ".join(
        [environment.device, *(f"{part} in {name}" for part, name in (environment.backends or {}).items())]
    )


def _views(records: Sequence[AnyRecord], prompts: Sequence[Prompt], store: RunStore) -> pd.DataFrame:
    """Build the frame in Arrow: the paths of hundreds of thousands of images take three times the memory as objects."""
    owner = pa.array(np.repeat(np.arange(len(records)), [len(record.views) for record in records]))
    views = [view for record in records for view in record.views]
    folders = [str(store.cell_folder(record.cell)) for record in records]
    folder = pa.array(folders, pa.string()).take(owner)
    owners = pa.Table.from_pylist([owner_of(record) for record in records], schema=_OWNER)
    columns = {
        "view": pa.array([index for record in records for index in range(len(record.views))], pa.int64()),
        "azimuth_deg": pa.array([view.azimuth_deg for view in views], pa.float64()),
    } | {
        f"{name}_path": pyarrow.compute.binary_join_element_wise(folder, pa.array(files, pa.string()), "/")
        for name, files in (("rgb", [view.rgb for view in views]), ("opacity", [view.opacity for view in views]))
    }
    frame = pa.table(
        {**{name: _encode_repeated(owners[name]).take(owner) for name in owners.column_names}, **columns}
    ).to_pandas()
    normals = [
        f"{folder}/{view.normals}" if view.normals else None
        for folder, record in zip(folders, records, strict=True)
        for view in record.views
    ]
    frame["normal_path"] = pd.Series(normals, dtype=object)  # None where there is none
    with_views = {  # the first of each prompt whose cameras are those that the truth is rendered from
        record.cell.prompt_id: record
        for record in reversed(records)
        if record.views and (isinstance(record, Record) or record.cell.has_evaluation_cameras)
    }
    truths = [
        row
        for prompt in prompts
        if (like := with_views.get(prompt.id)) is not None
        for row in _truth_rows(prompt, like, store)
    ]
    return pd.concat([frame, pd.DataFrame(truths, columns=list(VIEWS))], ignore_index=True) if truths else frame


def _encode_repeated(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Store repeated strings once."""
    return column.dictionary_encode() if pa.types.is_string(column.type) else column


def _truth_rows(prompt: Prompt, like: AnyRecord, store: RunStore) -> list[dict[str, Any]]:
    """List the views of the first object that fits the prompt, from the cameras of ``like``."""
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


def owner_of(record: AnyRecord) -> dict[str, Any]:
    """Columns by which the rows of a record are known in every frame."""
    cell = record.cell
    return {"cell": record.identity, "method": cell.title, "prompt_id": cell.prompt_id, "seed": cell.seed}

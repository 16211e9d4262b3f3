"""The tables of a scored run as files."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet

from bench.errors import InputError
from bench.records.atomic import write_bytes_atomically
from bench.records.reading import require_readable
from bench.records.store import RunStore
from bench.study.study import as_argument
from metrics.card import MetricCard
from reports.frames import CELLS, CONTROLS, EVENTS, METRIC_COLUMNS, SCORES, SNAPSHOTS, VIEWS

#: The tables of a run folder, ``<name>.parquet``, and the columns of each.
TABLES: Mapping[str, Mapping[str, str]] = {
    "scores": SCORES,
    "snapshots": SNAPSHOTS,
    "controls": CONTROLS,
    "metric_columns": METRIC_COLUMNS,
    "events": EVENTS,
    "views": VIEWS,
    "cells": CELLS,
}

#: The columns of numbers in a table of scores.
_NUMBERS = {
    "seed": "int64",
    "view": "int64",
    "step": "int64",
    "azimuth_deg": "float64",
    "seconds": "float64",
    "value": "float64",
}


def write_frame(frame: pd.DataFrame, path: Path) -> None:
    """Write Parquet so that a reader sees the old file or the new one; an equal file is left alone.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    content = io.BytesIO()
    frame.to_parquet(content, index=False)
    write_bytes_atomically(path, content.getvalue())


def table_of(rows: Iterable[dict[str, Any]], columns: Iterable[str]) -> pd.DataFrame:
    """Build a table of scores, whose columns have the same types with and without rows."""
    frame = pd.DataFrame(rows, columns=list(columns))
    return _with_types(frame) if frame.empty else frame


def _with_types(empty: pd.DataFrame) -> pd.DataFrame:
    """Give the columns of a table without rows their types, which no value shows."""
    return empty.astype({name: _NUMBERS.get(name, "str") for name in empty.columns})


def scored_cells(store: RunStore) -> set[str]:
    """Return the identities of the cells in a run's table of scores; none where it cannot be read."""
    try:
        table = pyarrow.parquet.read_table(store.folder / "scores.parquet", columns=["cell"])
        return set(table["cell"].unique().to_pylist())
    except (OSError, ValueError, KeyError, pa.ArrowException):
        return set()


def read_frame(path: Path, columns: Iterable[str], *, repeated: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table of a scored run.

    Args:
        path: The Parquet file.
        columns: Names that it must have.
        repeated: Columns of strings that recur in millions of rows; they become categories.

    Raises:
        InputError: If it is missing, is not a table or lacks one of the ``columns``.
        StorageError: If the user has no right to read it, or the disk fails.
    """
    if not path.is_file():
        raise InputError(f"{path}: is missing; score the run first (sdibench score {as_argument(path.parent)})")
    try:
        require_readable(path)
        frame = read_columns(path, repeated)
    except (OSError, ValueError, KeyError, pa.ArrowException) as error:
        raise InputError(f"{path}: cannot be read ({error!s:.200}); score the run again") from error
    for column in columns:
        if column not in frame.columns:
            raise InputError(f"{path}: has no column {column!r}; score the run again")
    for column in [name for name in (*_NUMBERS, "scale") if name in frame.columns]:
        if len(frame) and not pd.api.types.is_numeric_dtype(frame[column]):
            raise InputError(f"{path}: column {column!r} is not of numbers; score the run again")
    if frame.empty:  # an earlier version wrote it without types
        frame = _with_types(frame).astype(dict.fromkeys(repeated, "category"))
    return frame


def read_card(text: object, metric: str, folder: Path) -> MetricCard:
    """Read the card that a metric was scored with.

    Raises:
        InputError: If ``text`` is not a card, or not the card of ``metric``.
    """
    where = folder / "metric_columns.parquet"
    try:
        card = MetricCard.model_validate_json(str(text))
    except ValueError as error:
        raise InputError(f"{where}: {metric} has no card ({error!s:.200}); score the run again") from error
    if metric not in card.column_names:
        raise InputError(f"{where}: {metric} is not a column of its card; score the run again")
    return card


def read_columns(path: Path, words: Sequence[str] = ()) -> pd.DataFrame:
    """Read a Parquet file column by column, which needs little more memory than the frame; ``words`` become categories.

    One thread reads: most files are small, and threads take longer to start than these to read.

    Whole numbers are stored in four bytes if they fit.

    Raises:
        OSError, ValueError: If it cannot be read.
    """
    names = pyarrow.parquet.read_schema(path).names
    with pyarrow.parquet.ParquetFile(path, read_dictionary=[word for word in words if word in names]) as file:
        return pd.DataFrame({name: _read_column(file, name) for name in names}, copy=False)


def _read_column(file: pyarrow.parquet.ParquetFile, name: str) -> pd.Series:
    column = file.read(columns=[name], use_threads=False)[name].to_pandas()
    if isinstance(column.dtype, pd.CategoricalDtype):
        column = _sorted(column)
    elif column.dtype == np.int64 and column.max() < 2**31 and column.min() >= -(2**31):
        column = column.astype(np.int32)
    pa.default_memory_pool().release_unused()  # otherwise its memory is still held for the next column
    return column


def _sorted(words: pd.Series) -> pd.Series:
    """Sort the categories, as groups of strings are; done here because pandas makes codes of eight bytes for it."""
    categories, codes = words.cat.categories, words.cat.codes.to_numpy()
    rank = np.full(len(categories) + 1, -1, codes.dtype)  # the last one is for missing strings, whose code is -1
    order = categories.argsort()
    rank[order] = np.arange(len(categories))
    return pd.Series(pd.Categorical.from_codes(rank[codes], categories[order]), name=words.name)

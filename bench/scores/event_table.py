"""The steps of all records of a run in one table, ``events.parquet``: what a report shows of the optimisations."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.json
import pyarrow.parquet

from bench.errors import InputError
from bench.records.atomic import new_file
from bench.records.record import EVENTS_FILE, Record
from bench.records.store import RunStore
from reports.frames import EVENTS

EVENTS_TABLE = "events.parquet"

#: Bytes of events that are parsed at once: many files in one call, few enough to stay in the processor's cache.
_AT_ONCE = 2**22

#: Threads that parse; each holds as much.
_THREADS = min(4, os.cpu_count() or 1)

#: Fractions have seven digits, which is more than a figure shows and half the memory.
_SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        ("loss", pa.float32()),
        ("timestep", pa.float32()),
        ("opacity", pa.float32()),
        ("diagnostics", pa.struct([("fixed_point_error", pa.float32())])),
        ("seconds", pa.float32()),
        ("unet_calls", pa.int32()),
    ]
)
_NUMBERS = ("step", "loss", "timestep", "opacity", "fixed_point_error", "seconds", "unet_calls")
_SUMS = ["seconds", "unet_calls"]
_OWNER = "owner"
_KEYS = b"sdibench_records"


def event_table(records: Sequence[Record], store: RunStore) -> pd.DataFrame:
    """One row for each step, in the records' order; seconds and network calls are added up from the cell's start.

    Parsing is most of what loading a run takes, and records do not change: the table is kept in the run folder, and
    only records that it has not seen are read from their own files.  Words are categories, held once.

    Raises:
        InputError: If a file of events cannot be read.
    """
    keys = {record.identity: _key(record) for record in records}
    kept, kept_keys = _kept(store)
    if kept is not None and list(kept_keys.items()) == list(keys.items()):
        return kept
    index_of = {name: index for index, (name, key) in enumerate(keys.items()) if kept_keys.get(name) == key}
    fresh = [record for record in records if record.identity not in index_of]
    columns = _parsed_columns(fresh, store)
    if kept is None:
        owner = columns.pop(_OWNER)
    else:
        place = np.array([index for index, record in enumerate(records) if record.identity not in index_of], int)
        known = np.array([index_of.get(name, -1) for name in kept["cell"].cat.categories], int)[kept["cell"].cat.codes]
        owner = np.concatenate([known[known >= 0], place[columns.pop(_OWNER)]])
        order = np.argsort(owner, kind="stable")
        for name in _NUMBERS:
            columns[name] = np.concatenate([kept.pop(name).to_numpy()[known >= 0], columns[name]])[order]
        owner = owner[order]
    frame = _labelled(columns, owner, records)
    _keep(frame, keys, store)
    return frame


def read_columns(path: Path, words: Sequence[str] = ()) -> pd.DataFrame:
    """A Parquet file column by column, which takes hardly more memory than the frame; ``words`` become categories.

    Whole numbers take four bytes where they fit.

    Raises:
        OSError, ValueError: If it cannot be read.
    """
    columns = {}
    for name in pyarrow.parquet.read_schema(path).names:
        column = pyarrow.parquet.read_table(path, columns=[name], read_dictionary=list(words))[name].to_pandas()
        if isinstance(column.dtype, pd.CategoricalDtype):
            column = _sorted(column)
        elif column.dtype == np.int64 and column.max() < 2**31 and column.min() >= -(2**31):
            column = column.astype(np.int32)
        columns[name] = column
        pa.default_memory_pool().release_unused()  # else what reading one column took stays beside the next
    return pd.DataFrame(columns, copy=False)


def _sorted(words: pd.Series) -> pd.Series:
    """With categories in order, to be grouped as words are; by hand, for pandas' own way takes codes of eight bytes."""
    categories, codes = words.cat.categories, words.cat.codes.to_numpy()
    rank = np.full(len(categories) + 1, -1, codes.dtype)  # the last one is for missing words, whose code is -1
    order = categories.argsort()
    rank[order] = np.arange(len(categories))
    return pd.Series(pd.Categorical.from_codes(rank[codes], categories[order]), name=words.name)


def _key(record: Record) -> list[object]:
    """What tells a record from another one of the same cell, which was run again."""
    return [record.started_at, record.file_bytes.get(EVENTS_FILE, 0)]


def _kept(store: RunStore) -> tuple[pd.DataFrame | None, dict[str, list[object]]]:
    """The table as it was left, and which records it is of; None if there is none that can be read."""
    path = store.folder / EVENTS_TABLE
    try:
        keys = dict(json.loads(pyarrow.parquet.read_schema(path).metadata[_KEYS]))
        return read_columns(path)[list(EVENTS)], keys
    except (OSError, ValueError, KeyError, TypeError):
        return None, {}


def _keep(frame: pd.DataFrame, keys: Mapping[str, object], store: RunStore) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEYS: json.dumps(keys)})
    path = store.folder / EVENTS_TABLE
    with new_file(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, use_dictionary=["cell", "method", "prompt_id", "seed"])


def _labelled(columns: dict[str, np.ndarray], owner: np.ndarray, records: Sequence[Record]) -> pd.DataFrame:
    words = {
        "cell": [record.identity for record in records],
        "method": [record.cell.label for record in records],
        "prompt_id": [record.cell.prompt_id for record in records],
    }
    labels = {name: pd.Categorical(values).take(owner) for name, values in words.items()}
    seed = np.array([record.cell.seed for record in records], int)[owner]
    return pd.DataFrame({**labels, "seed": seed, **columns}, copy=False)[list(EVENTS)]


def _parsed_columns(records: Sequence[Record], store: RunStore) -> dict[str, np.ndarray]:
    """``_NUMBERS``, and the index of the record that each row is of."""
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(lambda batch: _parsed_batch(records, batch, store), _batches(records)))
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in (*_NUMBERS, _OWNER)}


def _batches(records: Sequence[Record]) -> Iterator[range]:
    """Indices of records in turn, about ``_AT_ONCE`` bytes of events each time; one batch at least."""
    first, size = 0, 0
    for index, record in enumerate(records):
        size += record.file_bytes.get(EVENTS_FILE, 0)
        if size >= _AT_ONCE:
            yield range(first, index + 1)
            first, size = index + 1, 0
    yield range(first, len(records))


def _parsed_batch(records: Sequence[Record], batch: range, store: RunStore) -> dict[str, np.ndarray]:
    own = records[batch.start : batch.stop]
    texts = [
        (store.cell_folder(record.cell) / EVENTS_FILE).read_bytes() if EVENTS_FILE in record.file_bytes else b""
        for record in own
    ]
    lengths = [text.count(b"\n") for text in texts]
    owner = np.repeat(np.array(batch, np.int32), lengths)
    numbers = _parsed(own, texts, len(owner), store).flatten().rename_columns(list(_NUMBERS)).to_pandas()
    sums = numbers[_SUMS].astype(float).groupby(owner, sort=False).cumsum()
    numbers[_SUMS] = sums.astype(numbers[_SUMS].dtypes)
    return {name: numbers[name].to_numpy() for name in _NUMBERS} | {_OWNER: owner}


def _parsed(records: Sequence[Record], texts: Sequence[bytes], rows: int, store: RunStore) -> pa.Table:
    table = _table(b"".join(texts))
    if table is not None and table.num_rows == rows:
        return table
    for record, text in zip(records, texts, strict=True):  # which of them it is
        own = _table(text)
        if own is None or own.num_rows != text.count(b"\n"):
            path = store.cell_folder(record.cell) / EVENTS_FILE
            raise InputError(f"{path}: corrupt record: cannot be read; move the folder away and run the study again")
    raise InputError(f"{store.folder}: the files {EVENTS_FILE} cannot be read together")


def _table(text: bytes) -> pa.Table | None:
    """The lines as a table, None if they are no JSON: pyarrow takes a hundredth of the time that ``Event`` does."""
    if not text:
        return _SCHEMA.empty_table()
    try:
        return pyarrow.json.read_json(
            pa.BufferReader(text),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"),
            # a line must fit into a block; and no threads of pyarrow's, which are one where OMP_NUM_THREADS says so
            read_options=pyarrow.json.ReadOptions(block_size=len(text) + 1, use_threads=False),
        )
    except pa.ArrowInvalid:
        return None

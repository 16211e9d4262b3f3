"""The steps of all records of a run in one table, ``events.parquet``, from which a report draws optimisations."""

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
from bench.records.reading import refusals
from bench.records.record import EVENTS_FILE, AnyRecord, Record
from bench.records.store import RunStore
from bench.scores.tables import read_columns
from reports.frames import EVENTS

EVENTS_TABLE = "events.parquet"

#: Bytes of events that are parsed at once: many files in one call, few enough to stay in the processor's cache.
_AT_ONCE = 2**22

#: Threads that parse; each holds that many bytes.
_THREADS = min(4, os.cpu_count() or 1)

#: Fractions have seven digits, which is more than a figure shows and half the memory.
_SCHEMA = pa.schema(
    [
        ("step", pa.int32()),
        ("loss", pa.float32()),
        ("timestep", pa.float32()),
        ("log_snr", pa.float32()),
        ("opacity", pa.float32()),
        ("diagnostics", pa.struct([("fixed_point_error", pa.float32())])),
        ("seconds", pa.float32()),
        ("unet_calls", pa.int32()),
    ]
)
_NUMBERS = ("step", "loss", "timestep", "log_snr", "opacity", "fixed_point_error", "seconds", "unet_calls")
_SUMS = ["seconds", "unet_calls"]
_WORDS = ("cell", "method", "prompt_id")
_OWNER = "owner"
_KEYS = b"sdibench_records"


def event_table(recorded: Sequence[AnyRecord], store: RunStore) -> pd.DataFrame:
    """Build one row per step, in the records' order, imported ones left out; seconds and network calls are sums.

    Parsing takes most of the time of loading a run, and records do not change.  So the table is stored in the run
    folder, and only new records are read from their own files.  Strings are categories.

    Raises:
        InputError: If a file of events is corrupt.
        StorageError: If one cannot be read.
    """
    records = [record for record in recorded if isinstance(record, Record)]
    keys = {record.identity: _key(record) for record in records}
    kept, kept_keys = _read_stored(store)
    if kept is not None and list(kept_keys.items()) == list(keys.items()):
        return kept
    index_of = {name: index for index, (name, key) in enumerate(keys.items()) if kept_keys.get(name) == key}
    fresh = [record for record in records if record.identity not in index_of]
    columns = _parse_columns(fresh, store)
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
    frame = _label(columns, owner, records)
    _store(frame, keys, store)
    return frame


def _key(record: Record) -> list[object]:
    """Return what distinguishes a record from another one of the same cell, which was run again."""
    return [record.started_at, record.file_bytes.get(EVENTS_FILE, 0)]


def _read_stored(store: RunStore) -> tuple[pd.DataFrame | None, dict[str, list[object]]]:
    """Read the stored table and the keys of its records; None if there is none, or it is not as this code writes it."""
    path = store.folder / EVENTS_TABLE
    try:
        keys = dict(json.loads(pyarrow.parquet.read_schema(path).metadata[_KEYS]))
        frame = read_columns(path)[list(EVENTS)]
    except (OSError, ValueError, KeyError, TypeError, pa.ArrowException):
        return None, {}
    is_ours = all(isinstance(frame[name].dtype, pd.CategoricalDtype) for name in _WORDS)
    is_ours &= all(pd.api.types.is_numeric_dtype(frame[name]) for name in EVENTS if name not in _WORDS)
    is_ours &= set(frame["cell"].unique()) <= keys.keys()
    return (frame, keys) if is_ours and len(frame) else (None, {})  # without rows, categories are not stored as such


def _store(frame: pd.DataFrame, keys: Mapping[str, object], store: RunStore) -> None:
    table = pa.Table.from_pandas(frame, preserve_index=False)
    table = table.replace_schema_metadata({**(table.schema.metadata or {}), _KEYS: json.dumps(keys)})
    path = store.folder / EVENTS_TABLE
    with new_file(path) as temporary:
        pyarrow.parquet.write_table(table, temporary, use_dictionary=["cell", "method", "prompt_id", "seed"])


def _label(columns: dict[str, np.ndarray], owner: np.ndarray, records: Sequence[Record]) -> pd.DataFrame:
    words = {
        "cell": [record.identity for record in records],
        "method": [record.cell.label for record in records],
        "prompt_id": [record.cell.prompt_id for record in records],
    }
    labels = {name: pd.Categorical(values).take(owner) for name, values in words.items()}
    seed = np.array([record.cell.seed for record in records], int)[owner]
    return pd.DataFrame({**labels, "seed": seed, **columns}, copy=False)[list(EVENTS)]


def _parse_columns(records: Sequence[Record], store: RunStore) -> dict[str, np.ndarray]:
    """Parse ``_NUMBERS`` of all records, and the index of the record of each row."""
    with ThreadPoolExecutor(_THREADS) as pool:
        parts = list(pool.map(lambda batch: _parse_batch(records, batch, store), _batches(records)))
    return {name: np.concatenate([part.pop(name) for part in parts]) for name in (*_NUMBERS, _OWNER)}


def _batches(records: Sequence[Record]) -> Iterator[range]:
    """Yield indices of records in turn, about ``_AT_ONCE`` bytes of events each time; at least one batch."""
    first, size = 0, 0
    for index, record in enumerate(records):
        size += record.file_bytes.get(EVENTS_FILE, 0)
        if size >= _AT_ONCE:
            yield range(first, index + 1)
            first, size = index + 1, 0
    yield range(first, len(records))


def _parse_batch(records: Sequence[Record], batch: range, store: RunStore) -> dict[str, np.ndarray]:
    own = records[batch.start : batch.stop]
    texts = [_read(store.cell_folder(record.cell) / EVENTS_FILE, record) for record in own]
    lengths = [text.count(b"\n") for text in texts]
    owner = np.repeat(np.array(batch, np.int32), lengths)
    numbers = _parse(own, texts, len(owner), store).flatten().rename_columns(list(_NUMBERS)).to_pandas()
    sums = numbers[_SUMS].astype(float).groupby(owner, sort=False).cumsum()
    numbers[_SUMS] = sums.astype(numbers[_SUMS].dtypes)
    return {name: numbers[name].to_numpy() for name in _NUMBERS} | {_OWNER: owner}


def _read(path: Path, record: Record) -> bytes:
    if EVENTS_FILE not in record.file_bytes:
        return b""
    with refusals(path):
        return path.read_bytes()


def _parse(records: Sequence[Record], texts: Sequence[bytes], rows: int, store: RunStore) -> pa.Table:
    table = _table(b"".join(texts))
    if table is not None and table.num_rows == rows:
        return table
    for record, text in zip(records, texts, strict=True):  # find the file that cannot be read
        own = _table(text)
        if own is None or own.num_rows != text.count(b"\n"):
            path = store.cell_folder(record.cell) / EVENTS_FILE
            raise InputError(f"{path}: corrupt record: cannot be read; move the folder away and run the study again")
    raise InputError(f"{store.folder}: the files {EVENTS_FILE} cannot be read together")


def _table(text: bytes) -> pa.Table | None:
    """Parse the lines; None if they are not JSON.  pyarrow takes a hundredth of the time of ``Event``."""
    if not text:
        return _SCHEMA.empty_table()
    try:
        return pyarrow.json.read_json(
            pa.BufferReader(text),
            parse_options=pyarrow.json.ParseOptions(explicit_schema=_SCHEMA, unexpected_field_behavior="ignore"),
            # a line must fit into a block; pyarrow's own threads are off, because OMP_NUM_THREADS limits them to one
            read_options=pyarrow.json.ReadOptions(block_size=len(text) + 1, use_threads=False),
        )
    except pa.ArrowInvalid:
        return None

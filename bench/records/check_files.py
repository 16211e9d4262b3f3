"""Whether the files of a record are what was written, to the last byte."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from bench.errors import InputError
from bench.records.read_record import read_events
from bench.records.reading import read_png, refusals, require_readable
from bench.records.record import EVENTS_FILE, RECORD_FILE, AnyRecord, Record, RecordedView
from bench.records.seal import is_unchanged
from bench.study.cell import SCENE_FILE
from methods.weights import file_sha256


def check_files(record: AnyRecord, folder: Path) -> None:
    """Read every file of a record that ``read_record`` has found there, to the last byte.

    Raises:
        InputError: If the record or a file has other content than was written, or a file is not what its name says.
        StorageError: If the user has no right to read one, or the disk fails.
    """
    _check_seal(folder / RECORD_FILE)
    for name, expected in record.file_sha256.items():
        with refusals(folder / name):
            found = file_sha256(folder / name) if name in record.file_bytes else "of no file"
        if found != expected:
            raise InputError(f"{folder / name}: corrupt record: SHA-256 is {found:.12}…, was {expected:.12}…")
    for view in _views(record):
        for name in filter(None, (view.rgb, view.opacity, view.normals)):
            _check_image(folder / name, record.image_side)
    if SCENE_FILE in record.file_bytes:
        try:
            check_tensors(folder / SCENE_FILE)
        except (OSError, SafetensorError) as error:
            raise InputError(f"{folder / SCENE_FILE}: corrupt record: no safetensors ({error})") from error
    if not isinstance(record, Record) or EVENTS_FILE not in record.file_bytes:
        return
    if (steps := len(read_events(folder))) != record.steps_done:
        raise InputError(f"{folder / EVENTS_FILE}: corrupt record: has {steps} steps, the record {record.steps_done}")


def _check_seal(path: Path) -> None:
    with refusals(path):
        text = path.read_text(encoding="utf-8")
    if not is_unchanged(text):
        raise InputError(f"{path}: corrupt record: was changed after it was written")


def _views(record: AnyRecord) -> Iterator[RecordedView]:
    yield from record.views
    for snapshot in record.snapshots:
        yield from snapshot.views


def _check_image(path: Path, side: int | None) -> None:
    height, width, *_ = read_png(path).shape
    if side is not None and (height, width) != (side, side):
        raise InputError(f"{path}: corrupt record: is of {width} × {height} pixels, not {side} × {side}")


def check_tensors(path: Path) -> None:
    """Read every tensor of a safetensors file.

    Raises:
        StorageError: If the user has no right to read it, or the disk fails.
        OSError, SafetensorError: If it is missing, or is no such file.
    """
    require_readable(path)
    with safe_open(path, framework="pt") as file:
        for name in file.keys():  # noqa: SIM118, no dict
            file.get_tensor(name)

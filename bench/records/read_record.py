"""Reading the record of a cell: whole, of the cell that it is said to be of, and with all of its files."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import from_json

from bench.errors import InputError, VersionError
from bench.records.reading import raise_refusal, refusals
from bench.records.record import (
    EVENTS_FILE,
    FORMAT_VERSION,
    RECORD_FILE,
    AnyRecord,
    BaseRecord,
    ImportedRecord,
    Record,
)
from bench.study.cell import BaseCell
from bench.watch.telemetry import Event

_REMEDY = "move the folder away and run the study again (sdibench verify --redo does the first)"

_THIS_VERSION = f'"format_version": {FORMAT_VERSION},'.encode()

#: Stands in the record of renders that were made elsewhere, and in no other.
_IMPORTED = b'"provenance": "imported"'


def read_record(folder: Path, identity: str | None = None, cell: BaseCell | None = None) -> AnyRecord:
    """Read and check one record.

    Args:
        folder: The folder of the record.
        identity: The cell's identity; if it is not given, the folder's name must be that of the record's cell.
        cell: The cell, if it is known: comparing is quicker than hashing the one that was read.

    Raises:
        InputError: If ``record.json`` is not a record or another cell's, or if a file that it names is missing, of
            another size or a link.
        StorageError: If the user has no right to read it, or the disk fails.
        VersionError: If it is of another version of the suite.
    """
    path = folder / RECORD_FILE
    record = _parsed(path)
    if not _is_right(record, folder, identity, cell, path):
        raise _corrupt(path, f": identity = {record.identity:.12}…: not its cell's")
    for name in sorted(_named_files(record) - record.file_bytes.keys()):
        raise _corrupt(path, f": {name} is not in file_bytes")
    _check_sizes(record.file_bytes, folder)
    return record


def _parsed(path: Path) -> AnyRecord:
    try:
        with refusals(path):
            text = path.read_bytes()
        if _THIS_VERSION not in text[:100]:  # the first field; parsing it all twice would take half as long again
            fields = from_json(text)
            version = fields["format_version"]
            if version != FORMAT_VERSION:
                if not isinstance(version, int) or version > FORMAT_VERSION:
                    raise VersionError.later(path, "format_version", version, FORMAT_VERSION)
                raise VersionError(
                    f"{path}: format_version = {version}, right is {FORMAT_VERSION}: the record is of an earlier "
                    "version of sdi-bench; read it with that version, or give another run folder with --out"
                )
        return (ImportedRecord if _IMPORTED in text else Record).model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = [".".join(map(str, problem["loc"]))[:200]] if problem["loc"] else []  # of no field if it is not JSON
        raise _corrupt(path, f": {': '.join([*where, problem['msg']])}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _corrupt(path, f" ({type(error).__name__}: {error!s:.200})") from error


def _is_right(record: AnyRecord, folder: Path, identity: str | None, cell: BaseCell | None, path: Path) -> bool:
    """Whether the record is of the cell that its identity, its folder or its caller names."""
    if cell is not None and record.cell == cell:
        return record.identity == identity
    try:
        own = record.cell.identity
    except (ValueError, RecursionError) as error:  # without canonical JSON
        raise _corrupt(path, f" ({type(error).__name__}: {error!s:.200})") from error
    is_its_own = folder.name == record.cell.folder_name if identity is None else identity == own
    return is_its_own and record.identity == own


def _corrupt(path: Path, why: str) -> InputError:
    return InputError(f"{path}: corrupt record{why}; {_REMEDY}")


def _named_files(record: BaseRecord) -> set[str]:
    views = [*record.views, *(view for snapshot in record.snapshots for view in snapshot.views)]
    return {name for view in views for name in (view.rgb, view.opacity, view.normals) if name is not None}


def _check_sizes(file_bytes: Mapping[str, int], folder: Path) -> None:
    """Check the sizes of files; names are texts and the loop is one, because a study may have half a million files."""
    within = str(folder)
    for name, size in file_bytes.items():
        try:
            found = os.lstat(f"{within}/{name}")
        except OSError as error:
            raise_refusal(error, folder / name)
            found = None
        if found is None or found.st_size != size or not stat.S_ISREG(found.st_mode):
            raise _corrupt(folder / name, f": missing or not of {size} bytes")
    for part in {name.rpartition("/")[0] for name in file_bytes} | {""}:
        if os.path.islink(f"{within}/{part}".rstrip("/")):  # noqa: PTH114
            raise _corrupt(folder / part, ": is a link")


def read_events(folder: Path) -> list[Event]:
    """The events of a record, one per step.

    Raises:
        InputError: If the file is corrupt.
        StorageError: If it cannot be read.
    """
    path = folder / EVENTS_FILE
    try:
        with refusals(path):
            lines = path.read_text(encoding="utf-8").splitlines()
        return [Event.model_validate_json(line) for line in lines]
    except (OSError, ValueError) as error:
        what = " ".join(str(error).split())
        raise InputError(
            f"{path}: corrupt record ({what:.200}); move the folder away and run the study again"
        ) from error

"""Run folders: their study, and the records of its cells, each written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import stat
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from itertools import chain
from pathlib import Path
from typing import Any

from filelock import FileLock, Timeout
from pydantic import ValidationError
from pydantic_core import from_json, to_json

from bench.errors import InputError, StorageError, VersionError
from bench.records.atomic import make_folder, new_folder, storage_errors, sweep, write_atomically
from bench.records.attempts import AttemptsFile
from bench.records.checkpoint import Checkpoint
from bench.records.reading import raise_refusal, refusals
from bench.records.record import EVENTS_FILE, FORMAT_VERSION, RECORD_FILE, Outcome, Record
from bench.records.writing import write_files
from bench.study.cell import Cell
from bench.study.pinning import other_inputs, pin
from bench.study.study import Study, parse_study
from bench.watch.telemetry import Event
from methods.atomic import PARTIAL, partial_prefix

STUDY_FILE = "study.json"

#: Age at which a temporary file that no claim covers counts as abandoned.
_STALE_SECONDS = 86_400.0

#: Errors of a file system without locks.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}

_REMEDY = "move the folder away and run the study again (sdibench verify --redo does the first)"

_THIS_VERSION = f'"format_version": {FORMAT_VERSION},'.encode()


class RunStore:
    """The folder of one run.

    Args:
        folder: The folder, which is made at the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, study: Study) -> Study:
        """Check that the study can be run in the folder.

        Returns:
            The study with the prompts and the prior's card that the folder keeps, if it holds a run.

        Raises:
            InputError: If it holds another study, files that are not of a run, or links out of it.
            WeightsError: If the study has another name for its prior than the run, and no weights to compare.
            PromptSetError: If there is no such prompt set.
        """
        refuse_links(self.folder)
        if (self.folder / STUDY_FILE).is_file():
            held = self.read_study()
            if held.key != study.key:
                raise InputError(
                    f"{self.folder}: holds another study ({held.name}, {held.key[:6]}; this one is {study.name}, "
                    f"{study.key[:6]}); give another folder with --out"
                )
            if others := other_inputs(held, study):
                raise InputError(
                    f"{self.folder}: holds {held.name} with other {' and '.join(others)}; give another folder with "
                    "--out, or the folder in place of the study to go on with what it holds"
                )
            return study if held.pinned is None else study.model_copy(update={"pinned": held.pinned})
        if self.folder.exists() and (not self.folder.is_dir() or any(map(_is_whole, self.folder.iterdir()))):
            raise InputError(f"{self.folder}: is not a run folder ({STUDY_FILE} is missing); give another with --out")
        return study

    def open(self, study: Study) -> Study:
        """Make the folder, write the study with its prompts into it and delete abandoned temporary files.

        Returns:
            The study as it is written.

        Raises:
            InputError: If it holds another study.
            StorageError: If it cannot be written in.
            WeightsError: If the prior's weights are missing or differ from those that its card names.
            PromptSetError: If there is no such prompt set.
        """
        study = pin(self.check(study))
        self.write_study(study)
        for folder in (self.folder, *(self.folder / name for name in ("cells", "checkpoints", "truth"))):
            sweep(folder, older_than_seconds=_STALE_SECONDS)
        return study

    def write_study(self, study: Study) -> None:
        """Make the folder and write ``study`` into it, in place of any other.

        Raises:
            StorageError: If it cannot be written in.
        """
        with storage_errors(self.folder):
            make_folder(self.folder)
        fields = {"format_version": FORMAT_VERSION, **study.model_dump(mode="json")}
        write_atomically(self.folder / STUDY_FILE, json.dumps(fields, indent=2, ensure_ascii=False) + "\n")

    def read_study(self) -> Study:
        """The study that the folder holds.

        Raises:
            InputError: If there is none, or it is not a study.
            StorageError: If it cannot be read.
            VersionError: If it is of another version of the suite.
        """
        path = self.folder / STUDY_FILE
        try:
            with refusals(path):
                fields = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            if (self.folder / RECORD_FILE).is_file():
                run = self.folder.absolute().parent.parent
                raise InputError(f"{self.folder}: is the folder of a cell; give its run folder, {run}") from error
            if isinstance(error, FileNotFoundError):
                what = f"is a folder without a {STUDY_FILE}, so it is not a run folder"
                raise InputError(
                    f"{self.folder}: {what if self.folder.exists() else 'there is no such folder'}"
                ) from error
            raise InputError(f"{path}: cannot be read ({error}); is this a run folder?") from error
        version = fields.pop("format_version", FORMAT_VERSION) if isinstance(fields, dict) else FORMAT_VERSION
        if not isinstance(version, int) or version > FORMAT_VERSION:
            raise VersionError.later(path, "format_version", version, FORMAT_VERSION)
        if isinstance(fields, dict) and isinstance(fields.get("prior"), str):  # before format 3
            raise VersionError(
                f"{path}: the run is of an earlier version of sdi-bench; read it with that version, or give another "
                "run folder with --out"
            )
        study = parse_study(fields, where=str(path))
        if study.pinned is not None:
            study.prompt_set()  # refuses malformed prompts before anything is done with them
        return study

    def cell_folder(self, cell: Cell) -> Path:
        """The folder of the cell's record, which need not exist."""
        return self.folder / "cells" / cell.folder_name

    def record_folders(self) -> list[Path]:
        """The folders of all records, of this study's cells and of others, intact or not."""
        return sorted(path.parent for path in self.folder.glob(f"cells/[!.]*/{RECORD_FILE}"))

    def has(self, cell: Cell) -> bool:
        """Whether there is a record, intact or not."""
        return self.cell_folder(cell).exists()

    def read(self, cell: Cell) -> Record | None:
        """The cell's record; None if there is none yet.

        Raises:
            InputError: If the record is corrupt; nothing is deleted.
        """
        folder = self.cell_folder(cell)
        return read_record(folder, cell.identity, cell) if folder.exists() else None

    def read_all(self, cells: Iterable[Cell]) -> list[Record]:
        """The existing records of ``cells``, in their order, in a form of which ten thousand take little memory.

        Equal parts are shared between them, and the hashes of their files, which only ``verify`` needs, are left out.

        Raises:
            InputError: If one of them is corrupt; nothing is deleted.
        """
        known: dict[bytes, Any] = {}
        records = []
        for cell in cells:
            record = self.read(cell)
            if record is not None:
                alike = {"environment": record.environment, "views": record.views, "snapshots": record.snapshots}
                shared = {name: known.setdefault(to_json(part), part) for name, part in alike.items()}
                records.append(record.model_copy(update={"cell": cell, "file_sha256": {}, **shared}))
        return records

    def write(self, outcome: Outcome) -> Record:
        """Write a cell's outcome; an existing record is never changed.

        Returns:
            The record as written, with the seconds, file sizes and hashes that only writing determines.

        Raises:
            StorageError: If the disk is full, or the folder cannot be written in; no half record is left.
        """
        with new_folder(self.cell_folder(outcome.record.cell)) as folder:
            return write_files(outcome, folder)

    def checkpoint(self, cell: Cell, study: Study) -> Checkpoint:
        """The checkpoint that the unfinished cell resumes from, saved as often as the study says."""
        path = self.folder / "checkpoints" / f"{cell.folder_name}.safetensors"
        return Checkpoint(path, cell.identity, study.checkpoint_seconds, study.checkpoint_steps)

    def finished(self) -> set[str]:
        """Names of the existing record folders."""
        cells = self.folder / "cells"
        return {entry.name for entry in os.scandir(cells) if _is_whole(entry)} if cells.is_dir() else set()

    def attempts(self, cell: Cell) -> AttemptsFile:
        """The attempts at the cell, until it has a record."""
        return AttemptsFile(self.folder / "claims" / f"{cell.folder_name}.json")

    def log(self, cell: Cell) -> Path:
        """The file with the output of the workers that ran the cell."""
        return self.folder / "logs" / f"{cell.folder_name}.log"

    @contextmanager
    def claim(self, cell: Cell) -> Iterator[bool]:
        """Hold the cell against every other process on this folder; yields False if another one holds it.

        The lock is the operating system's and ends with the process that has it.  Files of this cell that a killed
        process left half written are deleted: only the holder of the claim writes them.

        Raises:
            StorageError: If the folder cannot be written in, or is on a disk without locks.
        """
        path = self.folder / "claims" / f"{cell.folder_name}.lock"
        lock = FileLock(path, blocking=False, fallback_to_soft=False)  # a soft lock outlives a killed process
        with storage_errors(path):
            make_folder(path.parent)
            try:
                lock.acquire()
            except Timeout:
                pass
            except OSError as error:
                if error.errno not in _NO_LOCKS:
                    raise
                raise StorageError(
                    f"{self.folder}: its file system has no locks, which keep two processes from the same cell; mount "
                    "it with them (Lustre: -o flock), or give a folder elsewhere with --out"
                ) from error
        if not lock.is_locked:
            yield False
            return
        try:
            for name, file in (("cells", ""), ("checkpoints", ".safetensors"), ("claims", ".json")):
                sweep(self.folder / name, partial_prefix(f"{cell.folder_name}{file}"))
            yield True
        finally:
            lock.release()

    def tidy(self) -> None:
        """Delete checkpoints and attempts of cells with a record, whose process died just before it deleted them."""
        finished = self.finished()
        for path in (*self.folder.glob("checkpoints/*.safetensors"), *self.folder.glob("claims/*.json")):
            if path.stem in finished:
                path.unlink(missing_ok=True)

    def set_aside(self, path: Path) -> None:
        """Move a folder of the run into ``set-aside/``; a cell whose record is moved counts as missing again.

        Raises:
            StorageError: If the folder cannot be written in.
        """
        target = self.folder / "set-aside" / f"{path.name}--{time.time_ns()}"
        with storage_errors(target):
            make_folder(target.parent)
            path.rename(target)


def read_record(folder: Path, identity: str | None = None, cell: Cell | None = None) -> Record:
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


def _parsed(path: Path) -> Record:
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
        return Record.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = [".".join(map(str, problem["loc"]))[:200]] if problem["loc"] else []  # of no field if it is not JSON
        raise _corrupt(path, f": {': '.join([*where, problem['msg']])}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _corrupt(path, f" ({type(error).__name__}: {error!s:.200})") from error


def _is_right(record: Record, folder: Path, identity: str | None, cell: Cell | None, path: Path) -> bool:
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


def _named_files(record: Record) -> set[str]:
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


def refuse_links(folder: Path, patterns: Sequence[str] = ("*", "*/*")) -> None:
    """Refuse a folder with links that lead out of it, because another user's run folder must not redirect a write.

    Args:
        folder: It may itself be reached by a link, which is its user's own, and need not exist.
        patterns: Paths to check, from the top down.  The files of records are checked when they are read.

    Raises:
        InputError: If there is such a link.
    """
    root = os.path.realpath(folder)
    for path in chain.from_iterable(map(folder.glob, patterns)):
        if path.is_symlink() and not (target := Path(os.path.realpath(path))).is_relative_to(root):
            raise InputError(f"{path}: is a link out of the run folder, to {target}; put the files themselves there")


def _is_whole(entry: Path | os.DirEntry[str]) -> bool:
    return not entry.name.startswith(PARTIAL)

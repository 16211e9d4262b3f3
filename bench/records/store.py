"""Run folders: their study, and the records of its cells, each written whole or not at all."""

from __future__ import annotations

import errno
import json
import os
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from itertools import chain
from pathlib import Path
from typing import Any, overload

from filelock import FileLock, Timeout
from pydantic_core import to_json

from bench.errors import InputError, StorageError, VersionError
from bench.records.atomic import make_folder, new_folder, storage_errors, sweep, write_atomically
from bench.records.attempts import AttemptsFile
from bench.records.checkpoint import Checkpoint
from bench.records.outcome import Images, Outcome
from bench.records.read_record import read_record
from bench.records.reading import refusals
from bench.records.record import FORMAT_VERSION, RECORD_FILE, AnyRecord, ImportedRecord, Record
from bench.records.writing import write_files, write_imported
from bench.study.cell import BaseCell, Cell
from bench.study.imported_arms import imported_arms
from bench.study.imported_cell import AnyCell, ImportedCell
from bench.study.pinning import other_inputs, pin
from bench.study.study import Study, parse_study
from methods.atomic import PARTIAL, partial_prefix

STUDY_FILE = "study.json"

#: Age at which a temporary file that no claim covers counts as abandoned.
_STALE_SECONDS = 86_400.0

#: Errors of a file system without locks.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}


class RunStore:
    """The folder of one run.

    Args:
        folder: The folder, which is made at the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @property
    def has_study(self) -> bool:
        """Whether the folder holds a run, of any study."""
        return (self.folder / STUDY_FILE).is_file()

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
        if self.has_study:
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
            return study if held.pinned is None else _with_imported_arms(study, held)
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
        write_atomically(self.folder / STUDY_FILE, _study_text(study))

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
        if isinstance(fields, dict) and isinstance(fields.get("prior"), str):  # before format 3, whose cells are others
            raise VersionError(
                f"{path}: the run is of an earlier version of sdi-bench; read it with that version, or give another "
                "run folder with --out"
            )
        study = parse_study(fields, where=str(path))
        if study.pinned is not None:
            study.prompt_set()  # refuses malformed prompts before anything is done with them
        return study

    def cell_folder(self, cell: BaseCell) -> Path:
        """The folder of the cell's record, which need not exist."""
        return self.folder / "cells" / cell.folder_name

    def record_folders(self) -> list[Path]:
        """The folders of all records, of this study's cells and of others, intact or not, even without the record."""
        return sorted(path for path in self.folder.glob("cells/[!.]*") if path.is_dir())

    def has(self, cell: BaseCell) -> bool:
        """Whether there is a record, intact or not."""
        return self.cell_folder(cell).exists()

    @overload
    def read(self, cell: Cell) -> Record | None: ...
    @overload
    def read(self, cell: ImportedCell) -> ImportedRecord | None: ...
    def read(self, cell: AnyCell) -> AnyRecord | None:
        """The cell's record; None if there is none yet.

        Raises:
            InputError: If the record is corrupt; nothing is deleted.
        """
        folder = self.cell_folder(cell)
        return read_record(folder, cell.identity, cell) if folder.exists() else None

    @overload
    def read_all(self, cells: Iterable[Cell]) -> list[Record]: ...
    @overload
    def read_all(self, cells: Iterable[AnyCell]) -> list[AnyRecord]: ...
    def read_all(self, cells: Iterable[AnyCell]) -> Sequence[AnyRecord]:
        """The existing records of ``cells``, in their order, in a form of which ten thousand take little memory.

        Equal parts are shared between them, the hashes of their files, which only ``verify`` needs, are left out, and
        the sizes of all images are one sum.

        Raises:
            InputError: If one of them is corrupt; nothing is deleted.
        """
        known: dict[bytes, Any] = {}
        named: dict[frozenset[str], set[str]] = {}
        records: list[AnyRecord] = []
        for cell in cells:
            record = self.read(cell)
            if record is not None:
                alike = {"environment": record.environment, "views": record.views, "snapshots": record.snapshots}
                shared = {name: known.setdefault(to_json(part), part) for name, part in alike.items()}
                shared["file_bytes"] = _without_images(record.file_bytes)
                records.append(record.model_copy(update={"cell": cell, "file_sha256": {}, **shared}))
                given = records[-1].model_fields_set  # two kilobytes, of which all records have the same
                object.__setattr__(records[-1], "__pydantic_fields_set__", named.setdefault(frozenset(given), given))
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

    def write_imported(self, record: ImportedRecord, images: Images) -> bool:
        """Write the record of renders that were made elsewhere; an existing record is never changed.

        Returns:
            Whether the record that is there is this one, and not that of another process that was first.

        Raises:
            StorageError: If the disk is full, or the folder cannot be written in; no half record is left.
        """
        target = self.cell_folder(record.cell)
        with new_folder(target) as folder:
            write_imported(record, images, folder)
            written = folder.stat()  # a folder that is renamed stays the same one
        return target.is_dir() and os.path.samestat(target.stat(), written)

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

    def forget(self, studies: Sequence[Study], cells: Iterable[BaseCell], *, was_there: bool) -> None:
        """Delete what a process wrote that has just started the run and cannot go on, and nothing of others.

        Another process may have started a run in the same folder at the same time.

        Args:
            studies: What it wrote as the study, which stays if it is another one by now or records of others need it.
            cells: The cells whose records it wrote.
            was_there: Whether the folder itself was there before, and stays.
        """
        path, records = self.folder / STUDY_FILE, self.folder / "cells"
        for cell in cells:
            shutil.rmtree(self.cell_folder(cell), ignore_errors=True)
        with suppress(OSError):  # where there is something else in it
            records.rmdir()
        with suppress(OSError):  # what cannot be deleted must not hide why it should be
            if not records.exists() and path.read_bytes() in [_study_text(study).encode() for study in studies]:
                path.unlink()
        with suppress(OSError):  # as above
            if not was_there:
                self.folder.rmdir()

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


def _study_text(study: Study) -> str:
    fields = {"format_version": FORMAT_VERSION, **study.model_dump(mode="json")}
    return json.dumps(fields, indent=2, ensure_ascii=False) + "\n"


def _without_images(file_bytes: Mapping[str, int]) -> dict[str, int]:
    """The sizes of files, those of all images together under a name that no file has."""
    others = {name: size for name, size in file_bytes.items() if "/" not in name}
    return others | {"images": sum(file_bytes.values()) - sum(others.values())}


def _with_imported_arms(study: Study, held: Study) -> Study:
    """The study with what its run folder keeps: prompts, prior, and the arms whose renders were imported into it.

    An arm of which no renders could be imported yet may be given again, with what was wrong put right.
    """
    imports = held.pinned.imports if held.pinned else {}
    arms = {label: arm for label, arm in imported_arms(held).items() if imports.get(label)}
    for label, arm in arms.items():
        if label in study.methods and (given := imported_arms(study).get(label)) is not None:
            if given.layout != arm.layout:
                raise InputError(
                    f"methods.{label}: was imported with {arm.layout}, not with {given.layout}; give another label, or "
                    "another folder with --out"
                )
        elif label in study.methods:
            raise InputError(f"methods.{label}: is the label of imported renders in this run; give another label")
    kept = {label: held.methods[label] for label in arms if label not in study.methods}
    return study.model_copy(update={"methods": {**study.methods, **kept}, "pinned": held.pinned})


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

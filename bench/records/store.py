"""Run folders: which study they hold, and the records of its cells, each written whole or not at all."""

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
from PIL import Image
from pydantic import ValidationError
from pydantic_core import from_json, to_json
from safetensors.torch import save_file

from bench.errors import InputError, StorageError
from bench.records.atomic import PARTIAL, make_folder, new_folder, partial_prefix, sweep, told, write_atomically
from bench.records.attempts import AttemptsFile
from bench.records.checkpoint import Checkpoint
from bench.records.record import FORMAT_VERSION, Outcome, Pictures, Record, RecordedView, Snapshot
from bench.study.cell import Cell
from bench.study.study import Study, parse_study
from bench.watch.telemetry import Event
from methods.weights import file_sha256

STUDY_FILE = "study.json"
RECORD_FILE = "record.json"
EVENTS_FILE = "events.jsonl"
SCENE_FILE = "scene.safetensors"

#: Age at which a temporary file that no claim covers is nobody's any more.
_STALE_SECONDS = 86_400.0

#: What a file system without locks answers.
_NO_LOCKS = {errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP}

_REMEDY = "move the folder away and run the study again (sdibench verify --redo does the first)"

_THIS_VERSION = f'"format_version": {FORMAT_VERSION},'.encode()


class RunStore:
    """The folder of one run.

    Args:
        folder: Where it is, or will be at the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, study: Study) -> None:
        """Raise InputError if the folder holds another study, files that are no run, or links out of it."""
        refuse_links(self.folder)
        if (self.folder / STUDY_FILE).is_file():
            held = self.read_study()
            if held.key != study.key:
                raise InputError(
                    f"{self.folder}: holds another study ({held.name}, {held.key[:6]}; this one is {study.name}, "
                    f"{study.key[:6]}); give another folder with --out"
                )
        elif self.folder.exists() and (not self.folder.is_dir() or any(map(_is_whole, self.folder.iterdir()))):
            raise InputError(f"{self.folder}: is no run folder ({STUDY_FILE} is missing); give another with --out")

    def open(self, study: Study) -> None:
        """Make the folder and note the study in it.

        Raises:
            InputError: If it holds another study.
            StorageError: If it cannot be written in.
        """
        self.check(study)
        self.note(study)
        for folder in (self.folder, *(self.folder / name for name in ("cells", "checkpoints", "truth"))):
            sweep(folder, older_than_seconds=_STALE_SECONDS)

    def note(self, study: Study) -> None:
        """Make the folder and note ``study`` as the one that it holds, whichever it held.

        Raises:
            StorageError: If it cannot be written in.
        """
        with told(self.folder):
            make_folder(self.folder)
        write_atomically(self.folder / STUDY_FILE, study.model_dump_json(indent=2) + "\n")

    def read_study(self) -> Study:
        """The study that the folder holds.

        Raises:
            InputError: If there is none, or it cannot be read.
        """
        path = self.folder / STUDY_FILE
        try:
            fields = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError, RecursionError) as error:
            raise InputError(f"{path}: cannot be read ({error}); is this a run folder?") from error
        if isinstance(fields, dict) and isinstance(fields.get("prior"), str):  # before format 3
            raise InputError(
                f"{path}: the run is of an earlier version of sdi-bench; read it with that version, or give another "
                "run folder with --out"
            )
        return parse_study(fields, where=str(path))

    def cell_folder(self, cell: Cell) -> Path:
        """Where the cell's record is, or would be."""
        return self.folder / "cells" / cell.folder_name

    def record_folders(self) -> list[Path]:
        """The folders of all records, of this study's cells and of any other, whole or not."""
        return sorted(path.parent for path in self.folder.glob(f"cells/[!.]*/{RECORD_FILE}"))

    def has(self, cell: Cell) -> bool:
        """Whether there is a record, whole or not."""
        return self.cell_folder(cell).exists()

    def read(self, cell: Cell) -> Record | None:
        """The cell's record, None where there is none yet.

        Raises:
            InputError: If the record is corrupt; nothing is deleted.
        """
        folder = self.cell_folder(cell)
        return read_record(folder, cell.identity, cell) if folder.exists() else None

    def read_all(self, cells: Iterable[Cell]) -> list[Record]:
        """The records that there are of ``cells``, in their order, so that ten thousand take little memory.

        They share what is alike in many, and are without the hashes of their files, which only ``verify`` looks at.

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
        """Write a cell's outcome; a record that is already there stays as it is.

        Returns:
            The record as written, with the seconds, file sizes and hashes that only writing knows.

        Raises:
            StorageError: If the disk is full, or the folder cannot be written in; no half record is left.
        """
        with new_folder(self.cell_folder(outcome.record.cell)) as folder:
            return _write_files(outcome, folder)

    def checkpoint(self, cell: Cell, study: Study) -> Checkpoint:
        """What the unfinished cell goes on from, saved as often as the study says."""
        path = self.folder / "checkpoints" / f"{cell.folder_name}.safetensors"
        return Checkpoint(path, cell.identity, study.checkpoint_seconds, study.checkpoint_steps)

    def finished(self) -> set[str]:
        """Names of the record folders that there are."""
        cells = self.folder / "cells"
        return {entry.name for entry in os.scandir(cells) if _is_whole(entry)} if cells.is_dir() else set()

    def attempts(self, cell: Cell) -> AttemptsFile:
        """What is known of the cell before it has a record."""
        return AttemptsFile(self.folder / "claims" / f"{cell.folder_name}.json")

    def log(self, cell: Cell) -> Path:
        """Where what workers said while they ran the cell is kept."""
        return self.folder / "logs" / f"{cell.folder_name}.log"

    @contextmanager
    def claim(self, cell: Cell) -> Iterator[bool]:
        """Hold the cell against every other process on this folder; False where another one holds it.

        A lock of the operating system, which ends with the process that has it.  What a killed process left half
        written of this cell is deleted: only the holder of the claim writes it.

        Raises:
            StorageError: If the folder cannot be written in, or is on a disk without locks.
        """
        path = self.folder / "claims" / f"{cell.folder_name}.lock"
        lock = FileLock(path, blocking=False, fallback_to_soft=False)  # a soft lock outlives a killed process
        with told(path):
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
            sweep(self.folder / "cells", partial_prefix(cell.folder_name))
            sweep(self.folder / "checkpoints", partial_prefix(f"{cell.folder_name}.safetensors"))
            yield True
        finally:
            lock.release()

    def tidy(self) -> None:
        """Remove checkpoints and attempts of cells that have a record: their process died just before it did so."""
        finished = self.finished()
        for path in (*self.folder.glob("checkpoints/*.safetensors"), *self.folder.glob("claims/*.json")):
            if path.stem in finished:
                path.unlink(missing_ok=True)

    def set_aside(self, cell: Cell) -> None:
        """Move a record out of the way (``set-aside/``), so that its cell is missing again."""
        self.put_aside(self.cell_folder(cell))

    def put_aside(self, path: Path) -> None:
        """Move anything of this folder out of the way (``set-aside/``); nothing is deleted.

        Raises:
            StorageError: If the folder cannot be written in.
        """
        target = self.folder / "set-aside" / f"{path.name}--{time.time_ns()}"
        with told(target):
            make_folder(target.parent)
            path.rename(target)


def read_record(folder: Path, identity: str | None = None, cell: Cell | None = None) -> Record:
    """Read and check one record.

    Args:
        folder: Where it is.
        identity: Of its cell; where it is not given, the folder's name must be that of the record's cell.
        cell: That cell, where it is at hand: comparing it is quicker than hashing the one that was read.

    Raises:
        InputError: If ``record.json`` is unreadable, of another format version or another cell's, or if a file
            that it names is missing, of another size or a link.
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
        text = path.read_bytes()
        if _THIS_VERSION not in text[:100]:  # the first field; parsing it all twice would take half as long again
            fields = from_json(text)
            version = fields["format_version"]
            if version != FORMAT_VERSION:
                age = "an earlier" if isinstance(version, int) and version < FORMAT_VERSION else "a later"
                raise InputError(
                    f"{path}: format_version = {version!r:.40}, right is {FORMAT_VERSION}: the record is of {age} "
                    f"version of sdi-bench; read it with that version, or give another run folder with --out"
                )
        return Record.model_validate_json(text)
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        where = [".".join(map(str, problem["loc"]))[:200]] if problem["loc"] else []  # of no field where it is no JSON
        raise _corrupt(path, f": {': '.join([*where, problem['msg']])}") from error
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise _corrupt(path, f" ({type(error).__name__}: {error!s:.200})") from error


def _is_right(record: Record, folder: Path, identity: str | None, cell: Cell | None, path: Path) -> bool:
    """Whether it is the record of the cell that its identity, its folder or its caller says."""
    if cell is not None and record.cell == cell:
        return record.identity == identity
    try:
        own = record.cell.identity
    except (ValueError, RecursionError) as error:  # of no canonical JSON
        raise _corrupt(path, f" ({type(error).__name__}: {error!s:.200})") from error
    is_its_own = folder.name == record.cell.folder_name if identity is None else identity == own
    return is_its_own and record.identity == own


def _corrupt(path: Path, why: str) -> InputError:
    return InputError(f"{path}: corrupt record{why}; {_REMEDY}")


def _named_files(record: Record) -> set[str]:
    views = [*record.views, *(view for snapshot in record.snapshots for view in snapshot.views)]
    normals = {view.normals for view in views if view.normals}
    return {view.rgb for view in views} | {view.opacity for view in views} | normals


def _check_sizes(file_bytes: Mapping[str, int], folder: Path) -> None:
    """With names as text and in one loop: half a million files are looked at in seconds."""
    within = str(folder)
    for name, size in file_bytes.items():
        try:
            found = os.lstat(f"{within}/{name}")
        except OSError:
            found = None
        if found is None or found.st_size != size or not stat.S_ISREG(found.st_mode):
            raise _corrupt(folder / name, f": missing or not of {size} bytes")
    for part in {name.rpartition("/")[0] for name in file_bytes} | {""}:
        if os.path.islink(f"{within}/{part}".rstrip("/")):  # noqa: PTH114
            raise _corrupt(folder / part, ": is a link")


def read_events(folder: Path) -> list[Event]:
    """The steps of a record.

    Raises:
        InputError: If the file is unreadable.
    """
    path = folder / EVENTS_FILE
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
        return [Event.model_validate_json(line) for line in lines]
    except (OSError, ValueError) as error:
        what = " ".join(str(error).split())
        raise InputError(
            f"{path}: corrupt record ({what:.200}); move the folder away and run the study again"
        ) from error


def refuse_links(folder: Path, patterns: Sequence[str] = ("*", "*/*")) -> None:
    """Raise InputError if a link in ``folder`` leads out of it: someone else's run folder must not steer a write.

    Args:
        folder: May itself be reached by a link, which is its user's; need not be there.
        patterns: Where to look, from the top down.  The files of records are looked at as they are read.
    """
    root = os.path.realpath(folder)
    for path in chain.from_iterable(map(folder.glob, patterns)):
        if path.is_symlink() and not (target := Path(os.path.realpath(path))).is_relative_to(root):
            raise InputError(f"{path}: is a link out of the run folder, to {target}; put the files themselves there")


def _write_files(outcome: Outcome, folder: Path) -> Record:
    start = time.perf_counter()
    views = _write_pictures(outcome.pictures, folder, "views")
    snapshots = tuple(
        Snapshot(
            step=snapshot.step,
            seconds=snapshot.seconds,
            views=_write_pictures(snapshot.pictures, folder, f"snapshots/{snapshot.step:06}"),
        )
        for snapshot in outcome.snapshots
    )
    if outcome.scene:
        save_file(outcome.scene, folder / SCENE_FILE)
    lines = "".join(event.model_dump_json() + "\n" for event in outcome.events)
    (folder / EVENTS_FILE).write_text(lines, encoding="utf-8")
    files = {path.relative_to(folder).as_posix(): path for path in sorted(folder.rglob("*")) if path.is_file()}
    seconds = outcome.record.seconds.model_copy(update={"write": time.perf_counter() - start})
    update = {
        "views": views,
        "snapshots": snapshots,
        "file_bytes": {name: path.stat().st_size for name, path in files.items()},
        "file_sha256": {name: file_sha256(path) for name, path in files.items()},
        "seconds": seconds,
    }
    record = outcome.record.model_copy(update=update)
    (folder / RECORD_FILE).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return record


def _write_pictures(pictures: Pictures, folder: Path, within: str) -> tuple[RecordedView, ...]:
    """Write each view's pictures into the folder ``within`` the record's."""
    (folder / within).mkdir(parents=True, exist_ok=True)
    kinds = {"rgb": pictures.rgb, "opacity": pictures.opacity, "normals": pictures.normals}
    views = []
    for index, azimuth_deg in enumerate(pictures.azimuth_deg):
        names = {}
        for kind, values in kinds.items():
            if values is not None:
                names[kind] = f"{within}/{kind.removesuffix('s')}_{index:03}.png"
                Image.fromarray(values[index]).save(folder / names[kind])
        views.append(RecordedView(azimuth_deg=azimuth_deg, **names))
    return tuple(views)


def _is_whole(entry: Path | os.DirEntry[str]) -> bool:
    return not entry.name.startswith(PARTIAL)

"""Run folders: which study they hold, and the records of its cells, each written whole or not at all."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout
from PIL import Image
from pydantic import ValidationError
from safetensors.torch import save_file

from bench.attempts import AttemptsFile
from bench.cell import Cell
from bench.checkpoint import Checkpoint
from bench.errors import InputError
from bench.migration import MIGRATIONS, migrated
from bench.record import FORMAT_VERSION, Outcome, Record, RecordedView
from bench.study import Study, parse_study
from bench.telemetry import Event

STUDY_FILE = "study.json"
RECORD_FILE = "record.json"
EVENTS_FILE = "events.jsonl"
SCENE_FILE = "scene.safetensors"

#: How the names of files and folders begin that are being written, or were when their process died.
PARTIAL = ".partial-"


class RunStore:
    """The folder of one run.

    Args:
        folder: Where it is, or will be at the first write.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def check(self, study: Study) -> None:
        """Raise InputError if the folder holds another study, or files that are no run."""
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
        """
        self.check(study)
        self.folder.mkdir(parents=True, exist_ok=True)
        write_atomically(self.folder / STUDY_FILE, study.model_dump_json(indent=2) + "\n")

    def read_study(self) -> Study:
        """The study that the folder holds.

        Raises:
            InputError: If there is none, or it cannot be read.
        """
        path = self.folder / STUDY_FILE
        try:
            return parse_study(json.loads(path.read_text(encoding="utf-8")), where=str(path))
        except (OSError, ValueError) as error:
            raise InputError(f"{path}: cannot be read ({error}); is this a run folder?") from error

    def cell_folder(self, cell: Cell) -> Path:
        """Where the cell's record is, or would be."""
        return self.folder / "cells" / cell.folder_name

    def has(self, cell: Cell) -> bool:
        """Whether there is a record, whole or not."""
        return self.cell_folder(cell).exists()

    def read(self, cell: Cell) -> Record | None:
        """The cell's record, None where there is none yet.

        Raises:
            InputError: If the record is corrupt; nothing is deleted.
        """
        return read_record(self.cell_folder(cell), cell.identity) if self.has(cell) else None

    def write(self, outcome: Outcome) -> Record:
        """Write a cell's outcome; a record that is already there stays as it is.

        Returns:
            The record as written, with the seconds and file sizes that only writing knows.
        """
        with new_folder(self.cell_folder(outcome.record.cell)) as folder:
            return _write_files(outcome, folder)

    def checkpoint(self, cell: Cell, *, every_seconds: float) -> Checkpoint:
        """What the unfinished cell goes on from."""
        path = self.folder / "checkpoints" / f"{cell.folder_name}.safetensors"
        return Checkpoint(path, cell.identity, every_seconds)

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

        A lock of the operating system, which ends with the process that has it.
        """
        path = self.folder / "claims" / f"{cell.folder_name}.lock"
        path.parent.mkdir(parents=True, exist_ok=True)
        lock = FileLock(path, blocking=False)
        try:
            lock.acquire()
        except Timeout:
            yield False
            return
        try:
            yield True
        finally:
            lock.release()

    def tidy(self) -> None:
        """Remove checkpoints and attempts of cells that have a record: their process died just before it did so."""
        finished = self.finished()
        for path in (*self.folder.glob("checkpoints/*.safetensors"), *self.folder.glob("claims/*.json")):
            if path.stem in finished:
                path.unlink(missing_ok=True)

    def sweep(self, cell: Cell) -> None:
        """Remove what a process that died left half written of the cell; only for who holds it."""
        for path in (*self._partial("cells", cell), *self._partial("checkpoints", cell)):
            shutil.rmtree(path) if path.is_dir() else path.unlink()

    def _partial(self, folder: str, cell: Cell) -> Iterator[Path]:
        return (self.folder / folder).glob(f"{PARTIAL}{cell.folder_name[:100]}*")

    def set_aside(self, cell: Cell) -> None:
        """Move a record out of the way (``set-aside/``), so that its cell is missing again."""
        folder = self.cell_folder(cell)
        target = self.folder / "set-aside" / f"{folder.name}--{time.time_ns()}"
        target.parent.mkdir(exist_ok=True)
        folder.rename(target)


def read_record(folder: Path, identity: str) -> Record:
    """Read and check one record.

    Raises:
        InputError: If ``record.json`` is unreadable, of another format version or another cell's, or if a file
            that it names is missing or of another size.
    """
    path = folder / RECORD_FILE
    remedy = "move the folder away and run the study again"
    try:
        fields = json.loads(path.read_text(encoding="utf-8"))
        version = fields["format_version"]
        if version != FORMAT_VERSION and version not in MIGRATIONS:
            raise InputError(f"{path}: format_version = {version!r}: this code reads {FORMAT_VERSION}; {remedy}")
        record = Record.model_validate_json(json.dumps(migrated(fields)))
    except ValidationError as error:
        problem = error.errors(include_url=False)[0]
        key = ".".join(map(str, problem["loc"]))
        raise InputError(f"{path}: corrupt record: {key}: {problem['msg']}; {remedy}") from error
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(f"{path}: corrupt record ({type(error).__name__}: {error}); {remedy}") from error
    if not identity == record.identity == record.cell.identity:
        raise InputError(f"{path}: corrupt record: identity = {record.identity[:12]}…: not its cell's; {remedy}")
    for name, size in record.file_bytes.items():
        if not (folder / name).is_file() or (folder / name).stat().st_size != size:
            raise InputError(f"{folder / name}: corrupt record: missing or not of {size} bytes; {remedy}")
    return record


def read_events(folder: Path) -> list[Event]:
    """The steps of a record."""
    lines = (folder / EVENTS_FILE).read_text(encoding="utf-8").splitlines()
    return [Event.model_validate_json(line) for line in lines]


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``target`` at the end of the block: fsynced, then renamed.

    An exception leaves nothing behind.  Where ``target`` is there already, it stays and the new one is dropped:
    whoever came first has the same content.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f"{PARTIAL}{target.name[:100]}-", dir=target.parent))
    try:
        yield temporary
        temporary.chmod(0o755)
        with ThreadPoolExecutor(8) as pool:  # at once: most of it is waiting for one journal
            list(pool.map(_sync, [*temporary.rglob("*"), temporary]))
        if not target.exists():
            temporary.rename(target)
            _sync(target.parent)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new, never half of it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile("w", dir=path.parent, prefix=PARTIAL, delete=False, encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    Path(file.name).chmod(0o644)
    Path(file.name).replace(path)


def _write_files(outcome: Outcome, folder: Path) -> Record:
    start = time.perf_counter()
    (folder / "views").mkdir()
    views = []
    for index, azimuth_deg in enumerate(outcome.azimuth_deg):
        view = RecordedView(
            azimuth_deg=azimuth_deg, rgb=f"views/rgb_{index:03}.png", opacity=f"views/opacity_{index:03}.png"
        )
        Image.fromarray(outcome.rgb[index]).save(folder / view.rgb)
        Image.fromarray(outcome.opacity[index]).save(folder / view.opacity)
        views.append(view)
    if outcome.scene:
        save_file(outcome.scene, folder / SCENE_FILE)
    lines = "".join(event.model_dump_json() + "\n" for event in outcome.events)
    (folder / EVENTS_FILE).write_text(lines, encoding="utf-8")
    sizes = {str(path.relative_to(folder)): path.stat().st_size for path in sorted(folder.rglob("*")) if path.is_file()}
    seconds = outcome.record.seconds.model_copy(update={"write": time.perf_counter() - start})
    update = {"views": tuple(views), "file_bytes": sizes, "seconds": seconds}
    record = outcome.record.model_copy(update=update)
    (folder / RECORD_FILE).write_text(record.model_dump_json(indent=2) + "\n", encoding="utf-8")
    return record


def _is_whole(entry: Path | os.DirEntry[str]) -> bool:
    return not entry.name.startswith(PARTIAL)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

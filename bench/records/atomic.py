"""Files and folders that are there whole or not at all, also after a power cut, and one line where they cannot be."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from bench.errors import StorageError

#: Begins every temporary name; what a killed process leaves behind begins with it.
PARTIAL = ".partial-"


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """A temporary folder that becomes ``target`` at the end of the block: fsynced, then renamed.

    An exception leaves nothing behind.  Where ``target`` is there already, it stays and the new one is dropped:
    whoever came first has the same content.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    with told(target):
        make_folder(target.parent)
        temporary = Path(tempfile.mkdtemp(prefix=partial_prefix(target.name), dir=target.parent))
        try:
            yield temporary
            temporary.chmod(0o755)
            with ThreadPoolExecutor(8) as pool:  # at once: most of it is waiting for one journal
                list(pool.map(_sync, [*temporary.rglob("*"), temporary]))
            try:
                if not target.exists():
                    temporary.rename(target)
            except OSError:
                if not target.is_dir():  # else another process was first
                    raise
            _sync(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """A temporary file that takes the place of ``target`` at the end of the block: fsynced, then renamed.

    A reader sees the old content or the new; an exception leaves the old.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    with told(target):
        make_folder(target.parent)
        descriptor, name = tempfile.mkstemp(prefix=partial_prefix(target.name), suffix=target.suffix, dir=target.parent)
        os.close(descriptor)
        temporary = Path(name)
        try:
            yield temporary
            temporary.chmod(0o644)
            _sync(temporary)
            temporary.replace(target)
            _sync(target.parent)
        finally:
            temporary.unlink(missing_ok=True)


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new, never half of it.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    with new_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, each fsynced into the one that holds it."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        _sync(path.parent)


def partial_prefix(name: str) -> str:
    """How the temporary names for ``name`` begin."""
    return f"{PARTIAL}{name[:100]}-"


def sweep(folder: Path, prefix: str = PARTIAL, *, older_than_seconds: float = 0.0) -> None:
    """Delete what killed processes left in ``folder``: temporary files and folders, untouched for some time.

    Args:
        folder: Need not be there.
        prefix: How their names begin.
        older_than_seconds: 0 is safe only for what no living process can be writing.
    """
    for path in folder.glob(f"{prefix}*"):
        with suppress(OSError):  # another process sweeps too
            if time.time() - path.lstat().st_mtime < older_than_seconds:
                continue
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink()


@contextmanager
def told(target: Path) -> Iterator[None]:
    """Turn what the file system refuses into a StorageError that names ``target``."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # of no system call: a library's word for a bad picture or table
            raise
        raise _refused(target, error.strerror or os.strerror(error.errno)) from error
    except SafetensorError as error:
        raise _refused(target, str(error)) from error


def _refused(target: Path, reason: str) -> StorageError:
    return StorageError(
        f"{target}: cannot be written ({reason}); finished cells are kept: mend it and give the same command again"
    )


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

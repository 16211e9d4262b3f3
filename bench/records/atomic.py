"""Files and folders that are on disk whole or not at all, also after a power cut, and one line if they cannot be."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from bench.errors import StorageError
from methods.atomic import PARTIAL, partial_path, replace_file, sync


@contextmanager
def new_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder that becomes ``target`` at the end of the block: synced, then renamed.

    An exception leaves nothing behind.  A ``target`` that exists already stays, and the new one is dropped: whoever
    came first has the same content.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    with storage_errors(target):
        make_folder(target.parent)
        temporary = partial_path(target)
        temporary.mkdir()
        try:
            yield temporary
            with ThreadPoolExecutor(8) as pool:  # at once: most of it is waiting for one journal
                list(pool.map(sync, [*temporary.rglob("*"), temporary]))
            try:
                if not target.exists():
                    temporary.rename(target)
            except OSError:
                if not target.is_dir():  # else another process was first
                    raise
            sync(target.parent)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def new_file(target: Path) -> Iterator[Path]:
    """Yield a temporary file that takes the place of ``target`` at the end of the block: synced, then renamed.

    A reader sees the old content or the new one; an exception leaves the old one.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    with storage_errors(target):
        make_folder(target.parent)
        with replace_file(target, durable=True) as temporary:
            yield temporary


def write_atomically(path: Path, text: str) -> None:
    """Write a file so that a reader sees the old text or the new one, never half of it.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    write_bytes_atomically(path, text.encode())


def write_bytes_atomically(path: Path, content: bytes) -> None:
    """Write a file in the same way; one that has the content is left alone, so that it may be read-only.

    Raises:
        StorageError: If the disk is full, or the folder cannot be written in.
    """
    with suppress(OSError):
        if path.read_bytes() == content:
            return
    with new_file(path) as temporary:
        temporary.write_bytes(content)


def make_folder(folder: Path) -> None:
    """Make a folder and its missing parents, and sync each parent."""
    missing = []
    while not folder.is_dir():
        missing.append(folder)
        folder = folder.parent
    for path in reversed(missing):
        path.mkdir(exist_ok=True)
        sync(path.parent)


def sweep(folder: Path, prefix: str = PARTIAL, *, older_than_seconds: float = 0.0) -> None:
    """Delete temporary files and folders that killed processes left in ``folder``.

    Args:
        folder: It need not exist.
        prefix: Beginning of the names to delete.
        older_than_seconds: Least age of what is deleted; 0 is safe only for names that no living process can be
            writing.
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
def storage_errors(target: Path) -> Iterator[None]:
    """Raise errors of the file system in the block as StorageErrors that name ``target``."""
    try:
        yield
    except OSError as error:
        if error.errno is None:  # not of a system call: a library's name for a bad image or table
            raise
        raise _refused(target, error.strerror or os.strerror(error.errno)) from error
    except SafetensorError as error:
        raise _refused(target, str(error)) from error


def _refused(target: Path, reason: str) -> StorageError:
    return StorageError(
        f"{target}: cannot be written ({reason}); finished cells are kept: fix this, or copy the run folder to where "
        "you may write, and give the same command again"
    )

"""Folders of images that are made whenever they are not there as they were made: safe to delete, never read half."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

from bench.records.atomic import make_folder, new_folder, storage_errors
from bench.records.reading import refusals
from methods.atomic import PARTIAL
from methods.weights import file_sha256

#: The list of a folder's images with their hashes, in the format that ``sha256sum --check`` reads.
SUMS_FILE = "sha256sums.txt"


def image_folder(target: Path, names: Sequence[str], make: Callable[[Path], None]) -> Path:
    """Return a folder of images, which is made if one of them is missing, cut short or was changed.

    Args:
        target: The folder.
        names: PNG files that it must hold.
        make: Writes them into the folder that it is given.

    Raises:
        StorageError: If an image cannot be read, the disk is full, or the folder cannot be written in.
    """
    if is_whole(target, names):
        return target
    with _alone(target):
        if not is_whole(target, names):  # by now another process may have made it
            if target.exists():
                with storage_errors(target):
                    shutil.rmtree(target)
            with new_folder(target) as temporary:
                make(temporary)
                sums = "".join(f"{file_sha256(temporary / name)}  {name}\n" for name in names)
                (temporary / SUMS_FILE).write_text(sums, encoding="utf-8")
    return target


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Keep other processes from making the folder meanwhile; a disk without locks, or that is read-only, has none."""
    lock = FileLock(folder.with_name(f"{PARTIAL}{folder.name}.lock"), fallback_to_soft=False)
    with suppress(OSError):  # filelock raises it where there are no locks
        make_folder(folder.parent)
        lock.acquire()
    try:
        yield
    finally:
        lock.release()
        with suppress(OSError):
            Path(lock.lock_file).unlink()


def is_whole(target: Path, names: Sequence[str]) -> bool:
    """Say whether a folder holds all of its images as they were made.

    Raises:
        StorageError: If an image cannot be read.
    """
    try:
        sums = read_sums(target)
        return sums is not None and all(is_as_made(target / name, sums) for name in names)
    except FileNotFoundError:  # another process is making it again
        return False


def read_sums(folder: Path) -> dict[str, str] | None:
    """The hashes of a folder's images as they were made, by name; None for a folder without the list.

    Raises:
        StorageError: If the list cannot be read.
    """
    path = folder / SUMS_FILE
    if not path.is_file():
        return None
    with refusals(path):
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: sha256 for sha256, _, name in (line.partition("  ") for line in lines)}


def is_as_made(path: Path, sums: Mapping[str, str]) -> bool:
    """Say whether an image is there with the content that it was made with.

    Raises:
        StorageError: If it cannot be read.
    """
    if not path.is_file():
        return False
    with refusals(path):
        return file_sha256(path) == sums.get(path.name)


def image_names(count: int) -> list[str]:
    """Names of the colour and opacity images of ``count`` views."""
    return [f"{kind}_{index:03}.png" for kind in ("rgb", "opacity") for index in range(count)]

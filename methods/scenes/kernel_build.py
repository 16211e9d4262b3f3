"""Kernels that a package compiles when they are first used, by one process of a home at a time."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock, Timeout

#: Time between two looks at a build, and the time without a change of its files after which nobody is at work on it.
_SECONDS, _ABANDONED_SECONDS = 1.0, 30 * 60.0

#: Time of a wait that is worth a line: trying what is compiled takes less.
_LONG_SECONDS = 5.0

_LOGGER = logging.getLogger("sdibench")


@contextmanager
def building_alone(name: str) -> Iterator[None]:
    """Let no other process that asks here build, or load, the extension ``name`` of torch meanwhile.

    gsplat deletes what another process is compiling.  torch waits for ever, and says nothing, for a compilation that
    was killed: what such a one left in its folder is removed before the block, at once where it was one of this
    suite's, and else after half an hour without a change.

    The lock is the operating system's and ends with the process.  A disk without locks, or that cannot be written on,
    has none.
    """
    folder = None
    with suppress(OSError):
        folder = _build_folder(name)
    if folder is None:  # the package will say what is wrong
        yield
        return
    lock = FileLock(folder.with_name(f".{name}.sdibench.lock"), fallback_to_soft=False)
    mark = folder.with_name(f".{name}.sdibench.building")
    try:
        with suppress(OSError):
            _acquire(lock, name)
        if lock.is_locked and mark.exists():  # whoever left it was killed in the block below
            (folder / "lock").unlink(missing_ok=True)
        _wait_for_others(folder)
        with suppress(OSError):
            mark.touch()
        try:
            yield
        finally:
            with suppress(OSError):
                mark.unlink()
    finally:
        lock.release()


def _build_folder(name: str) -> Path:
    # Imported here: it takes a moment, and only a GPU needs it.
    from torch.utils.cpp_extension import _get_build_directory

    return Path(_get_build_directory(name, verbose=False))


def _acquire(lock: FileLock, name: str) -> None:
    try:
        lock.acquire(timeout=_LONG_SECONDS)
    except Timeout:
        _LOGGER.warning("waiting for another process that compiles %s (%s)", name, lock.lock_file)
        lock.acquire()


def _wait_for_others(folder: Path) -> None:
    """Wait while another program compiles in ``folder``, as long as its files change."""
    baton = folder / "lock"
    is_told = False
    while baton.exists():
        if _quiet_seconds(folder) > _ABANDONED_SECONDS:
            _LOGGER.warning("removed %s, which a compilation that was killed has left", baton)
            baton.unlink(missing_ok=True)
            return
        if not is_told:
            _LOGGER.warning(
                "waiting for another program that compiles in %s; if none does, remove the file lock there", folder
            )
            is_told = True
        time.sleep(_SECONDS)


def _quiet_seconds(folder: Path) -> float:
    """Seconds since the last change in ``folder``."""
    changes = [0.0]
    for path in (folder, *folder.glob("*")):
        with suppress(OSError):  # deleted meanwhile
            changes.append(path.stat().st_mtime)
    return time.time() - max(changes)

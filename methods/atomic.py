"""Files that are on disk whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

#: Beginning of every temporary name, and so of the files that a killed process leaves behind.
PARTIAL = ".partial-"


@contextmanager
def replace_file(target: Path, *, durable: bool = False) -> Iterator[Path]:
    """Yield a temporary file that takes the place of ``target`` at the end of the block.

    A reader sees the old content or the new one; an exception leaves the old one and no temporary file.  The file has
    the permissions of any file that is opened here (the umask, the folder's default ACL).

    Args:
        target: The file to write; its folder is made if it is missing.
        durable: Whether content and name are synced, so that the file also survives a power cut.

    Raises:
        OSError: If the folder cannot be written in.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = partial_path(target)
    temporary.touch(exist_ok=False)  # not by tempfile, whose files and folders only their owner may read
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(target)
        if durable:
            sync(target.parent)
    finally:
        temporary.unlink(missing_ok=True)


def partial_prefix(name: str) -> str:
    """The beginning of the temporary names of a file or folder called ``name``."""
    return f"{PARTIAL}{name[:100]}-"


def partial_path(target: Path) -> Path:
    """A new temporary name next to ``target``, with its suffix."""
    return target.with_name(f"{partial_prefix(target.name)}{secrets.token_hex(8)}{target.suffix}")


def sync(path: Path) -> None:
    """Wait until the content of a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

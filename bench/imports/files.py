"""Files of strangers: read without blocking, with a bound, and named in messages without control characters."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from bench.errors import InputError
from bench.records.reading import refusals

#: Most bytes of an image file, and of any other file.
MOST_IMAGE_BYTES, MOST_BYTES = 64 * 2**20, 2**30


def shown(text: object) -> str:
    r"""The text with an escape for every character that a terminal would act on or cannot show.

    >>> shown("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape", "surrogatepass").decode()
        for character in str(text)
    )


def read_bytes(path: Path, *, most: int = MOST_BYTES) -> bytes:
    """The content of a file with at least one byte and at most ``most``.

    Raises:
        InputError: If there is no such file, it is not a regular file, it is empty or too large.
        StorageError: If the file system refuses to read it.
    """
    name = shown(path)
    try:
        with refusals(Path(name)):
            # a device or a pipe is not opened: that alone may block or have an effect
            _require_regular(path.stat(), name)
            descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
            with os.fdopen(descriptor, "rb") as file:
                status = os.fstat(descriptor)
                _require_regular(status, name)
                _require_few_bytes(status.st_size, most, name)
                content = file.read(most + 1)
    except OSError as error:
        raise InputError(f"{name}: cannot be read ({error.strerror}); give a file that is there") from error
    if not content:
        raise InputError(f"{name}: is empty (0 bytes); copy the file again")
    _require_few_bytes(len(content), most, name)
    return content


def _require_few_bytes(count: int, most: int, name: str) -> None:
    if count > most:
        raise InputError(f"{name}: has {count} bytes, right is up to {most}")


def _require_regular(status: os.stat_result, name: str) -> None:
    if not stat.S_ISREG(status.st_mode):
        what = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe, a socket or a device"
        raise InputError(f"{name}: is {what}, right is a file")

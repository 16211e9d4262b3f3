"""Reading files: one that the file system refuses is unreadable, which is not the same as corrupt."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from bench.errors import InputError, StorageError

#: Errors that say what is there (nothing, a folder, a loop of links); all others keep the content from being known.
_OF_THE_CONTENT = {errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG}


@contextmanager
def refusals(path: Path) -> Iterator[None]:
    """Raise a refusal of the file system to read in the block as a StorageError that names ``path``.

    Raises:
        StorageError: If the user has no right to read, or the disk fails.
        OSError: If the file is missing, is not a file, or its content is wrong: for the caller to judge.
    """
    try:
        yield
    except OSError as error:
        raise_refusal(error, path)
        raise


def raise_refusal(error: OSError, path: Path) -> None:
    """Raise ``error`` as a StorageError if it is a refusal to read; otherwise return.

    Raises:
        StorageError: If the user has no right to read ``path``, or the disk fails.
    """
    if error.errno is None or error.errno in _OF_THE_CONTENT:  # None: a library's error, of a bad image or table
        return
    reason = error.strerror or os.strerror(error.errno)
    raise StorageError(
        f"{path}: cannot be read ({reason}), which says nothing of its content; let its owner make it readable "
        "(chmod a+rX) and give the same command again"
    ) from error


def require_readable(path: Path) -> None:
    """Open a file and close it, before a library reads it that reports a refusal as bad content.

    Raises:
        StorageError: If the user has no right to read it, or the disk fails.
        OSError: If it is missing or not a file.
    """
    with refusals(path), path.open("rb"):
        pass


def read_png(path: Path) -> np.ndarray:
    """Read a PNG, uint8 ``(h w 3)`` or ``(h w)``.

    Raises:
        InputError: If it is not one, or is cut short.
        StorageError: If the user has no right to read it, or the disk fails.
    """
    try:
        with refusals(path), Image.open(path, formats=["PNG"]) as image:
            return np.asarray(image)
    except StorageError:
        raise
    except Exception as error:  # Pillow raises a dozen types of errors
        raise InputError(f"{path}: cannot be read as an image ({type(error).__name__}: {error})") from error

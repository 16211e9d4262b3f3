"""Errors that the command line shows in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Self


class InputError(Exception):
    """One line that names the field, the value and what would be right.  Exit status 2 at the command line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class StorageError(InputError):
    """A refusal of the file system: the disk is full, the folder read-only.  It is not an error of a cell."""


class VersionError(InputError):
    """A file of a version of the suite that this one does not read.  It is not damaged, and nothing is moved."""

    @classmethod
    def later(cls, path: Path, field: str, value: object, known: object) -> Self:
        """The error for a file whose ``field`` has a ``value`` above the ``known`` one."""
        return cls(
            f"{path}: {field} = {value!s:.40}, right is {known}: the file is of a later version of sdi-bench "
            "and is left as it is; update this program (pip install --upgrade sdi-bench)"
        )


class RunError(Exception):
    """A run that ended without all of its cells.  One line; exit status 1 at the command line."""


class DeviceLostError(RunError):
    """A GPU that this process can use no more, because of a step that crashed on it; another process still can."""

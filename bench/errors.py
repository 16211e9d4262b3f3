"""What is wrong with something the user gave."""

from __future__ import annotations


class InputError(Exception):
    """One line that names the field, the value and what would be right.  Exit status 2 at the command line."""

    def __init__(self, message: str) -> None:
        super().__init__(" ".join(message.split()))


class StorageError(InputError):
    """What the file system refuses: the disk is full, the folder read-only.  No fault of a cell's."""


class RunError(Exception):
    """A run that ended without all of its cells.  One line; exit status 1 at the command line."""

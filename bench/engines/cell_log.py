"""The log of a cell: what its worker said while it ran it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from pathlib import Path
from typing import Any, TextIO


@contextmanager
def cell_log(path: Path, heading: str, *, whole: bool) -> Iterator[None]:
    """Append to ``path`` what this process says meanwhile, below a line of its own.

    Args:
        path: The log; its folder is made.
        heading: Who works on the cell, and which attempt it is.
        whole: Take standard output and error of the process, so that also libraries in C and a crash's last words
            are in it; else only a copy of Python's standard error, with the warnings, since others want the rest.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a", encoding="utf-8", buffering=1) as file, ExitStack() as stack:
        file.write(f"== {heading}\n")
        if whole:
            for descriptor, stream in ((1, sys.stdout), (2, sys.stderr)):
                stack.enter_context(_into(file, descriptor, stream))
        else:
            stack.enter_context(redirect_stderr(_Tee(sys.stderr, file)))
        yield


@contextmanager
def _into(file: TextIO, descriptor: int, stream: TextIO) -> Iterator[None]:
    """Let ``descriptor``, which ``stream`` writes to, lead to ``file``."""
    stream.flush()
    kept = os.dup(descriptor)
    os.dup2(file.fileno(), descriptor)
    try:
        yield
    finally:
        stream.flush()
        os.dup2(kept, descriptor)
        os.close(kept)


class _Tee:
    """A text stream whose words also go to a file."""

    def __init__(self, stream: TextIO, file: TextIO) -> None:
        self._stream = stream
        self._file = file

    def write(self, text: str) -> int:
        self._file.write(text)
        return self._stream.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

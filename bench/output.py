"""Standard output and error of a command, whatever their encoding is and whether or not anybody still reads them."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO

from rich.console import Console

#: Signs without which a number would be another one, or a line could not be read, in plain characters.
_PLAIN = str.maketrans({"−": "-", "±": "+-", "…": "...", "→": "->", "≤": "<=", "≥": ">=", "×": "x", "÷": "", "·": "*"})

#: The errors of a stream that has lost its reader: a closed pipe, a terminal that hung up.
_GONE = {errno.EPIPE, errno.EIO}


def print_line(console: Console, line: str) -> None:
    """Print one line as it is: not wrapped, and without markup, since names and paths may have square brackets."""
    console.print(line, markup=False, highlight=False, soft_wrap=True)


@contextmanager
def lenient_output() -> Iterator[None]:
    """Let no text end the ``with`` block: it is written with ``?`` for what the stream's encoding lacks, or dropped.

    A run that prints to ``head``, or whose terminal hangs up, continues; a console in ASCII shows no ``∇``, and ``-``
    for the minus of a number.
    """
    before = sys.stdout, sys.stderr
    sys.stdout, sys.stderr = LenientStream(sys.stdout), LenientStream(sys.stderr)  # type: ignore[assignment]
    try:
        yield
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        sys.stdout, sys.stderr = before


class LenientStream:
    """A text stream that replaces characters outside its encoding, and drops everything once its reader is gone."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write ``text`` and return its length."""
        try:
            self._stream.write(text)
        except UnicodeEncodeError:
            encoding = self._stream.encoding
            self.write(text.translate(_PLAIN).encode(encoding, "replace").decode(encoding))
        except OSError as error:
            self._drop(error)
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._stream.flush()
        except OSError as error:
            self._drop(error)

    def _drop(self, error: OSError) -> None:
        """Send what is buffered, and everything later, to the null device."""
        if error.errno not in _GONE:
            raise error
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, self._stream.fileno())
        os.close(null)
        with suppress(OSError):
            self._stream.flush()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

"""What is known of a cell that is being done: how often it was begun, by which process, and how far it is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from bench.study.settings import Section

#: A cell that took its process along this often in a row, without getting beyond one checkpoint, is not begun again.
LIVES = 3


class Attempts(Section):
    """``claims/<cell>.json``: written by the process that holds the cell, gone when there is a record."""

    count: int = 0
    """How often the cell was begun."""
    in_vain: int = 0
    """How many of the last attempts in a row died at the same checkpoint, the one at work included."""
    saved_ns: int = 0
    """When the checkpoint that the last attempt went on from was saved, ns; 0 for none."""
    worker: str = ""
    """Machine and process of the last attempt, ``host:pid``."""
    step: int = 0
    """Steps done, about a second ago."""
    loss: float | None = None
    """Loss of the last of these steps; None where there is none, or it is not a finite number."""

    def begin(self, saved_ns: int, worker: str) -> Attempts:
        """One attempt more, which goes on from a checkpoint that was saved at ``saved_ns``."""
        in_vain = self.in_vain if saved_ns == self.saved_ns else 0
        return Attempts(count=self.count + 1, in_vain=in_vain + 1, saved_ns=saved_ns, worker=worker)

    @property
    def is_hopeless(self) -> bool:
        """Whether this one had better not be made."""
        return self.in_vain > LIVES


class AttemptsFile:
    """The attempts at one cell, on disk.  A process may die at any point; a machine that does may take them along."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Attempts:
        """What was written last; none where there is no file, or only one that is broken."""
        with suppress(OSError, ValidationError):
            return Attempts.model_validate_json(self.path.read_bytes())
        return Attempts()

    def write(self, attempts: Attempts) -> None:
        """Replace the file, whole."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        partial = self.path.with_name(f".partial-{self.path.name}")  # one name: only who holds the cell writes
        partial.write_text(attempts.model_dump_json(), encoding="utf-8")
        partial.replace(self.path)

    def drop(self) -> None:
        """Delete it: the record says how many attempts there were."""
        self.path.unlink(missing_ok=True)

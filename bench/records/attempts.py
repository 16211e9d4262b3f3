"""The attempts at a cell without a record: how many there were, in which process, and how far the last one is."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

from pydantic import ValidationError

from bench.study.section import Section
from methods.atomic import replace_file

#: A cell that crashed its worker this many times in a row at the same checkpoint is given up.
LIVES = 3


class Attempts(Section):
    """``claims/<cell>.json``: written by the process that holds the cell, deleted when there is a record."""

    count: int = 0
    """Number of times that the cell was started."""
    without_progress: int = 0
    """Number of the last attempts in a row that died at the same checkpoint, the present one included."""
    saved_ns: int = 0
    """Time at which the checkpoint that the last attempt started from was saved, ns; 0 for none."""
    worker: str = ""
    """Machine and process of the last attempt, ``host:pid``."""
    claim: str = ""
    """Random text of the last attempt, which another process on the same cell does not have."""
    step: int = 0
    """Steps done about a second ago."""
    loss: float | None = None
    """Loss of the last of these steps; None without one, or if it is not a finite number."""

    def begin(self, saved_ns: int, worker: str, claim: str = "") -> Attempts:
        """The attempts with one more, which starts from a checkpoint that was saved at ``saved_ns``."""
        without_progress = self.without_progress if saved_ns == self.saved_ns else 0
        return Attempts(
            count=self.count + 1,
            without_progress=without_progress + 1,
            saved_ns=saved_ns,
            worker=worker,
            claim=claim,
        )

    @property
    def is_hopeless(self) -> bool:
        """Whether the cell should be given up instead of being attempted again."""
        return self.without_progress > LIVES


class AttemptsFile:
    """The attempts at one cell, on disk.

    The file survives the death of the process at any point, but not that of the machine: it is not synced.

    Args:
        path: The file, ``claims/<cell>.json``.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def read(self) -> Attempts:
        """The attempts as last written; none without a file, or if it cannot be parsed."""
        with suppress(OSError, ValidationError):
            return Attempts.model_validate_json(self.path.read_bytes())
        return Attempts()

    def write(self, attempts: Attempts) -> None:
        """Replace the file, whole.

        Raises:
            OSError: If the folder cannot be written in.
        """
        with replace_file(self.path) as temporary:
            temporary.write_text(attempts.model_dump_json(), encoding="utf-8")

    def rival_of(self, own: Attempts) -> str | None:
        """Machine and process that has started the cell after ``own``, which locks should prevent; None if none has."""
        found = self.read()
        return found.worker if found.claim not in ("", own.claim) else None

    def drop(self) -> None:
        """Delete the file: the record says how many attempts there were."""
        self.path.unlink(missing_ok=True)

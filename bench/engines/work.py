"""The work of one worker of any engine: the cells of a study that no other worker has done or is doing."""

from __future__ import annotations

import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

from bench.cells.run_cell import give_up, run_cell
from bench.cells.torch_settings import torch_settings
from bench.engines.cell_log import cell_log
from bench.engines.options import DEFAULTS, EngineOptions, TrackerName
from bench.engines.tracking import CellTracker
from bench.errors import DeviceLostError, StorageError
from bench.records.attempts import LIVES, Attempts, AttemptsFile
from bench.records.checkpoint import Checkpoint
from bench.records.outcome import Outcome, SnapshotImages
from bench.records.record import Record
from bench.records.store import RunStore
from bench.records.twice import write_second
from bench.study.cell import Cell
from bench.study.pinning import cell_prior
from bench.study.study import Study
from bench.watch.lost_device import lost_device
from bench.watch.telemetry import Event
from methods.contracts import Prior

#: Time between two looks at cells that other processes hold, and between two notes of progress.
_SECONDS = 1.0


def work(
    study: Study,
    cells: Sequence[Cell],
    store: RunStore,
    *,
    interrupted: Callable[[], bool] = lambda: False,
    options: EngineOptions = DEFAULTS,
    whole_log: bool = False,
) -> None:
    """Do the cells that have no record, until every one of them has one.

    Any number of processes may do so at once in one folder: a cell that another one holds is passed over, and
    looked at again at the end, where it is either done or to be taken over from its last checkpoint.

    Args:
        study: What the cells are of.
        cells: Those that this worker may do.
        store: The run folder.
        interrupted: Asked after each step; once it says True, the cell is saved and KeyboardInterrupt raised.
        options: The number of failures after which no further cell is started, and the experiment tracker.
        whole_log: Whether standard output and error of this process go into the cells' logs.

    Raises:
        DeviceLostError: If a cell crashed so that this process can use its GPU no more; another process goes on.
    """
    budget = _Budget(store, cells, options.fail_after)
    left = [cell for cell in cells if not store.has(cell)]
    with torch_settings(study.threads):
        while left and not budget.is_spent():
            held = []
            for cell in left:
                if interrupted():
                    raise KeyboardInterrupt
                if budget.is_spent():
                    return
                if not do_cell(cell, study, store, interrupted=interrupted, track=options.track, whole_log=whole_log):
                    held.append(cell)
            if len(held) == len(left):
                time.sleep(_SECONDS)
            left = held


def do_cell(
    cell: Cell,
    study: Study,
    store: RunStore,
    *,
    interrupted: Callable[[], bool] = lambda: False,
    track: TrackerName | None = None,
    whole_log: bool = False,
) -> bool:
    """Claim a cell, run it from its checkpoint if it has one, and write its record.

    Returns:
        Whether there is a record now; False where another process holds the cell.

    Raises:
        DeviceLostError: If the cell crashed so that this process can use its GPU no more; there is a record.
    """
    if store.has(cell):
        return True
    with store.claim(cell) as is_mine:
        if not is_mine or store.has(cell):  # done by another one since we looked
            return is_mine
        checkpoint = store.checkpoint(cell, study)
        file = store.attempts(cell)
        worker, claim = f"{socket.gethostname()}:{os.getpid()}", secrets.token_hex(8)
        attempts = file.read().begin(checkpoint.saved_ns(), worker, claim)
        file.write(attempts)
        heading = "given up" if attempts.is_hopeless else f"attempt {attempts.count}"
        try:
            with (
                cell_log(store.log(cell), f"{heading}, {attempts.worker}", whole=whole_log),
                CellTracker(track, cell, study.name, store.folder / "tracking") as tracker,
            ):
                progress = _Progress(attempts, file, tracker)
                prior = cell_prior(study, cell)
                outcome = _outcome(cell, prior, study, checkpoint, attempts, progress, interrupted)
                tracker.end(outcome)
                if store.has(cell):
                    sys.stderr.write(f"computed twice: this record came second, {write_second(outcome, store)}\n")
                else:
                    store.write(outcome)
                _check_alone(attempts, file)
                lost = lost_device(prior.device) if outcome.record.status.failed else None
                if lost and whole_log:  # else the error below is shown, and by a worker process it is not
                    sys.stderr.write(f"{lost}\n")
        except BaseException:  # an interrupt, a full disk: not the cell's doing
            with suppress(OSError):
                if file.rival_of(attempts) is None:
                    file.write(attempts.model_copy(update={"without_progress": 0, "claim": ""}))
            raise
        checkpoint.drop()
        file.drop()
        if lost:  # in this process every other cell would crash too
            raise DeviceLostError(
                f"{lost}; {cell.folder_name} is {outcome.record.status}, and the same command goes on"
            )
        return True


def set_record_aside(cell: Cell, store: RunStore, is_old: Callable[[Record], bool]) -> bool:
    """Make a cell missing again whose record ``is_old``, unless another process has done so or is at work on it.

    Returns:
        Whether the cell is missing now.
    """
    with store.claim(cell) as is_mine:
        record = store.read(cell) if is_mine else None
        if record is not None and is_old(record):
            if record.status.failed:  # otherwise nothing went wrong, and the cell starts afresh
                store.attempts(cell).write(Attempts(count=record.attempts))
            store.set_aside(store.cell_folder(cell))
    return not store.has(cell)


def _outcome(
    cell: Cell,
    prior: Prior,
    study: Study,
    checkpoint: Checkpoint,
    attempts: Attempts,
    progress: _Progress,
    interrupted: Callable[[], bool],
) -> Outcome:
    if attempts.is_hopeless:
        why = (
            f"its worker died {LIVES} times in a row at the same point (killed, or out of memory); the log may say why"
        )
        return give_up(cell, prior, why=why, attempts=attempts.count - 1, checkpoint=checkpoint)
    return run_cell(
        cell,
        prior,
        on_step=progress.step,
        on_snapshot=progress.snapshot,
        time_limit_seconds=study.time_limit_seconds,
        memory_limit_gb=study.memory_limit_gb,
        checkpoint=checkpoint,
        interrupted=interrupted,
        attempts=attempts.count,
    )


def _check_alone(attempts: Attempts, file: AttemptsFile) -> None:
    """Raise StorageError if another process has started the cell too, although this one holds its lock."""
    rival = file.rival_of(attempts)
    if rival is not None:
        raise StorageError(
            f"{file.path}: {rival} has the same cell as this process, {attempts.worker}: the locks of this file system "
            "hold on one machine only; mount it with locks that hold on all (Lustre: -o flock; NFS: version 4, without "
            "local_lock), or run on one machine; the other process goes on, and no record is lost"
        )


class _Progress:
    """Writes how far a cell is, for the board and the tracker, and stops if another process has the cell too."""

    def __init__(self, attempts: Attempts, file: AttemptsFile, tracker: CellTracker) -> None:
        self._attempts = attempts
        self._file = file
        self._tracker = tracker
        self._noted = time.monotonic()

    def snapshot(self, snapshot: SnapshotImages) -> None:
        self._tracker.snapshot(snapshot)

    def step(self, event: Event) -> None:
        self._tracker.step(event)
        now = time.monotonic()
        if now - self._noted >= _SECONDS:
            self._noted = now
            _check_alone(self._attempts, self._file)
            with suppress(OSError):  # not worth a cell
                self._file.write(self._attempts.model_copy(update={"step": event.step + 1, "loss": event.loss}))


class _Budget:
    """The number of cells that may fail."""

    def __init__(self, store: RunStore, cells: Sequence[Cell], fail_after: int | None) -> None:
        self._store = store
        self._open = list(cells)
        self._fail_after = fail_after
        self._failed = 0

    def is_spent(self) -> bool:
        if self._fail_after is None:
            return False
        finished = self._store.finished()
        for cell in [cell for cell in self._open if cell.folder_name in finished]:
            record = self._store.read(cell)
            self._failed += record is not None and record.status.failed
            self._open.remove(cell)
        return self._failed >= self._fail_after

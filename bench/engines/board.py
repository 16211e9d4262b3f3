"""Progress of a run on the console, read from the run folder, so that it is the same for every engine."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import Self

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from bench.errors import InputError
from bench.formatting import duration
from bench.output import print_line
from bench.records.attempts import Attempts
from bench.records.record import Record
from bench.records.store import RunStore
from bench.study.cell import Cell

#: Time between two looks at the folder.
_SECONDS = 0.5


class Board:
    """A line for each cell that gets its record, and on a terminal bars for the cells that are being done."""

    def __init__(self, cells: Sequence[Cell], store: RunStore, console: Console) -> None:
        self._left = list(cells)
        self._all = len(cells)
        self._store = store
        self._console = console
        self._start, self._wall_start = time.monotonic(), time.time()
        self._lock = threading.Lock()
        self._ended = threading.Event()
        self._watch = threading.Thread(target=self._look_on, name="board", daemon=True)
        self._progress = Progress(
            TextColumn("{task.description}"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[now]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._cells_bar = self._progress.add_task("cells", total=len(cells), now="")
        self._bars: dict[str, TaskID] = {}

    def __enter__(self) -> Self:
        self._progress.start()
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._watch.join()
        self.look()
        self._progress.stop()

    def _look_on(self) -> None:
        while not self._ended.wait(_SECONDS):
            self.look()

    def look(self) -> None:
        """Show what has changed."""
        with self._lock:
            self._look()

    def _look(self) -> None:
        finished = self._store.finished()
        for cell in [cell for cell in self._left if cell.folder_name in finished]:
            self._left.remove(cell)
            with suppress(InputError):  # who reads the record next will say what is wrong with it
                self._show_record(self._store.read(cell))
        if self._console.is_terminal:
            self._show_running()

    def _show_record(self, record: Record | None) -> None:
        if record is None:  # set aside since we looked
            return
        done = self._all - len(self._left)
        left = (time.monotonic() - self._start) / done * len(self._left)
        attempt = f", attempt {record.attempts}" * (record.attempts > 1)
        why = f" ({record.reason})" if record.reason else ""
        line = (
            f"[{done}/{self._all}] {title(record.cell)}: {record.status}{why}"
            f", {record.seconds.total:.1f} s{attempt}, about {duration(left)} left"
        )
        print_line(self._console, line)

    def _show_running(self) -> None:
        running = {cell.folder_name: (cell, attempts) for cell, attempts in self._running()}
        for name in self._bars.keys() - running.keys():
            self._progress.remove_task(self._bars.pop(name))
        for name, (cell, attempts) in running.items():
            if name not in self._bars:
                self._bars[name] = self._progress.add_task(escape(title(cell)), total=cell.steps, now="")
            loss = "" if attempts.loss is None else f"loss {attempts.loss:.4g} · "
            now = escape(f"{loss}{attempts.worker}")
            self._progress.update(self._bars[name], completed=attempts.step, now=now)
        part = sum(attempts.step / cell.steps for cell, attempts in running.values())
        now = "" if running or self._all > len(self._left) else "loading the prior"
        self._progress.update(self._cells_bar, completed=self._all - len(self._left) + part, now=now)

    def _running(self) -> Iterator[tuple[Cell, Attempts]]:
        """Cells on which somebody has worked since this run began."""
        for cell in self._left:
            file = self._store.attempts(cell)
            with suppress(OSError):
                if file.path.stat().st_mtime >= self._wall_start:
                    yield cell, file.read()


def title(cell: Cell) -> str:
    """The cell in a few words."""
    return f"{cell.label} · {cell.prompt_id} · seed {cell.seed}"

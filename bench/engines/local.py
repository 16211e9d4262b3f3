"""The engine of a laptop or one GPU: in this process, one cell after the other."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Self

import torch
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from bench.cell import Cell
from bench.engines import engines
from bench.expand import cached_prior
from bench.record import Record
from bench.run_cell import run_cell
from bench.store import RunStore
from bench.study import Study
from bench.telemetry import Event


@engines.register("local")
def run_local(study: Study, cells: Sequence[Cell], store: RunStore, console: Console) -> None:
    """Run ``cells`` with one prior, loaded once.  A cell that is killed goes on from its checkpoint."""
    with torch_settings(study.threads), _Board(cells, console) as board:
        prior = cached_prior(study.prior)
        for cell in cells:
            checkpoint = store.checkpoint(cell, every_seconds=study.checkpoint_seconds)
            outcome = run_cell(
                cell,
                prior,
                on_step=board.show_step,
                time_limit_seconds=study.time_limit_seconds,
                checkpoint=checkpoint,
            )
            board.show_cell(store.write(outcome))
            checkpoint.drop()


@contextmanager
def torch_settings(threads: int) -> Iterator[None]:
    """Torch with ``threads`` threads and deterministic algorithms, which make a cell's numbers bit-equal on a CPU."""
    threads_before = torch.get_num_threads()
    deterministic_before = torch.are_deterministic_algorithms_enabled()
    torch.set_num_threads(threads)
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.use_deterministic_algorithms(deterministic_before)


class _Board:
    """Shows how far the run is: a bar on a terminal, and a line for each finished cell everywhere."""

    def __init__(self, cells: Sequence[Cell], console: Console) -> None:
        self._cells = cells
        self._console = console
        self._done = 0
        self._start = time.monotonic()
        self._progress = Progress(
            TextColumn("cell"),
            MofNCompleteColumn(),
            BarColumn(),
            TimeRemainingColumn(elapsed_when_finished=True),
            TextColumn("{task.fields[now]}"),
            console=console,
            transient=True,
            disable=not console.is_terminal,
        )
        self._task = self._progress.add_task("cells", total=len(cells), now="loading the prior")

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def show_step(self, event: Event) -> None:
        cell = self._cells[self._done]
        loss = "not finite" if event.loss is None else f"{event.loss:.4g}"
        now = f"{cell.label} · {cell.prompt_id} · step {event.step + 1}/{cell.steps} · loss {loss}"
        self._progress.update(self._task, completed=self._done + (event.step + 1) / cell.steps, now=escape(now))

    def show_cell(self, record: Record) -> None:
        self._done += 1
        left = (time.monotonic() - self._start) / self._done * (len(self._cells) - self._done)
        why = record.divergence or (record.failure and f"{record.failure.kind}: {record.failure.message}")
        cell = record.cell
        line = (
            f"[{self._done}/{len(self._cells)}] {cell.label} · {cell.prompt_id} · seed {cell.seed}: {record.status}"
            f"{f' ({why})' if why else ''}, {record.seconds.total:.1f} s, about {duration(left)} left"
        )
        self._console.print(line, markup=False, highlight=False, soft_wrap=True)


def duration(seconds: float) -> str:
    """``seconds`` as a person says them.

    >>> duration(0.31), duration(42.3), duration(600), duration(9000)
    ('0.3 s', '42 s', '10 min', '2.5 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"

"""The stage ``run``: what is missing of a study is computed."""

from __future__ import annotations

from rich.console import Console

from bench.divergence import Status
from bench.engines import engines
from bench.expand import expand
from bench.store import RunStore
from bench.study import Study


def run_study(
    study: Study, store: RunStore, console: Console, *, engine: str = "local", retry_failed: bool = False
) -> None:
    """Run the cells of ``study`` that have no record yet.

    Args:
        study: What to run.
        store: The run folder.
        console: Where progress goes.
        engine: Registered name of the engine.
        retry_failed: Set the records of failed cells (``oom``, ``timeout``, ``crashed``) aside and run them again.

    Raises:
        InputError: If the folder holds another study or a corrupt record, or the study names something unknown.
    """
    store.check(study)
    run = engines[engine]
    cells = expand(study)
    records = {cell.identity: store.read(cell) for cell in cells}  # a corrupt one stops here, before any work
    store.open(study)
    for cell in cells:
        record = records[cell.identity]
        if retry_failed and record and record.status in (Status.OOM, Status.TIMEOUT, Status.CRASHED):
            store.set_aside(cell)
            records[cell.identity] = None
    missing = [cell for cell in cells if records[cell.identity] is None]
    console.print(f"{study.name}: {len(cells)} cells, {len(cells) - len(missing)} done, {len(missing)} to run")
    if missing:
        run(study, missing, store, console)

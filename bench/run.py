"""The stage ``run``: what is missing of a study is computed."""

from __future__ import annotations

from rich.console import Console

from bench.divergence import Status
from bench.engines import engines
from bench.expand import expand
from bench.readiness import check_ready
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
    again = {
        identity
        for identity, record in records.items()
        if retry_failed and record and record.status in (Status.OOM, Status.TIMEOUT, Status.CRASHED)
    }
    missing = [cell for cell in cells if records[cell.identity] is None or cell.identity in again]
    if missing:
        check_ready(study)
    store.open(study)
    for cell in missing:
        if cell.identity in again:
            store.set_aside(cell)
    console.print(f"{study.name}: {len(cells)} cells, {len(cells) - len(missing)} done, {len(missing)} to run")
    if missing:
        run(study, missing, store, console)

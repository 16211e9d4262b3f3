"""The stage ``run``: what is missing of a study is computed."""

from __future__ import annotations

from rich.console import Console

from bench.divergence import Status
from bench.engines import engines
from bench.expand import expand
from bench.preflight import check_forecast
from bench.readiness import check_ready
from bench.store import RunStore
from bench.study import Study


def run_study(
    study: Study,
    store: RunStore,
    console: Console,
    *,
    engine: str = "local",
    retry_failed: bool = False,
    budget_hours: float | None = None,
) -> None:
    """Run the cells of ``study`` that have no record yet.

    Args:
        study: What to run.
        store: The run folder.
        console: Where progress goes.
        engine: Registered name of the engine.
        retry_failed: Set the records of failed cells (``oom``, ``timeout``, ``crashed``) aside and run them again.
        budget_hours: Hours of the device that are begun without asking; None to begin whatever the forecast of time
            and memory is.

    Raises:
        InputError: If the folder holds another study or a corrupt record, the study names something unknown, or the
            forecast is too much for the device's memory or the budget.
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
        if budget_hours is not None:
            known = [record for record in records.values() if record]
            here = engine == "local"  # elsewhere may be another device
            check_forecast(study, missing, known, store, console, budget_hours=budget_hours, times_steps=here)
    store.open(study)
    for cell in missing:
        if cell.identity in again:
            store.set_aside(cell)
    console.print(f"{study.name}: {len(cells)} cells, {len(cells) - len(missing)} done, {len(missing)} to run")
    if missing:
        run(study, missing, store, console)

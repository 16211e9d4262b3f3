"""The stage ``run``: what is missing of a study is computed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from bench.cells.initial_scene import check_inputs
from bench.commands.prompt_reading import describe_reading
from bench.engines import engines
from bench.engines.board import Board
from bench.engines.options import DEFAULTS, EngineOptions
from bench.engines.work import set_record_aside
from bench.engines.workers import workers_per_gpu
from bench.errors import RunError
from bench.forecast.preflight import check_forecast
from bench.imports.import_arms import check_arms, import_arms
from bench.output import print_line
from bench.records.record import RECORD_FILE, Record
from bench.records.store import RunStore
from bench.records.twice import cell_of_second, second_records
from bench.scores.tables import scored_cells
from bench.study.cell import Cell
from bench.study.expand import expand
from bench.study.imported_arms import imported_cells
from bench.study.readiness import check_ready
from bench.study.reported import check_report
from bench.study.resolve import cell_method
from bench.study.study import Study, as_argument
from bench.watch.code_hashes import method_sha256
from bench.watch.divergence import Status
from reports.frames import listed


def run_study(
    study: Study,
    store: RunStore,
    console: Console,
    *,
    engine: str = "local",
    retry_failed: bool = False,
    retry_changed: bool = False,
    budget_hours: float | None = None,
    options: EngineOptions = DEFAULTS,
) -> int:
    """Run the cells of ``study`` that have no record yet.

    Args:
        study: What to run.
        store: The run folder.
        console: Where progress goes, after a line on prompts that the prior does not read to their end and one on words
            that it does not know.
        engine: Registered name of the engine.
        retry_failed: Set the records of failed cells (``oom``, ``timeout``, ``crashed``) aside and run them again.
        retry_changed: Do so with the cells of methods whose code was another one; else a line counts them.
        budget_hours: Device-hours that are started without asking; None to start whatever the forecast of time and
            memory is.
        options: The engine's options.

    Returns:
        How many of the cells that were to run have crashed.

    Raises:
        RunError: If as many cells have failed as the options allow, or cells are without a record for another reason.
        InputError: If the folder holds another study or a corrupt record, the study names something unknown, or the
            forecast is too much for the device's memory or the budget.
    """
    runner = engines[engine]()
    study = store.check(study)
    check_report(study)  # rather than after all cells
    check_arms(study)
    cells = expand(study)
    records = store.read_all(cells)  # a corrupt one stops here, before any work
    done = {record.identity for record in records}
    changed = _changed(records)

    def is_old(record: Record) -> bool:
        return (retry_failed and record.status.failed) or (retry_changed and _is_changed(record, changed))

    again = {record.identity for record in records if is_old(record)}
    missing = [cell for cell in cells if cell.identity not in done - again]
    if changed and not retry_changed:
        count = sum(_is_changed(record, changed) for record in records)
        print_line(
            console,
            f"{study.name}: {count} finished cells are of other code of {listed(list(changed), 'and')} than today's; "
            "they stay (--retry-changed runs them again)",
        )
    if missing:
        here = engine == "local"  # elsewhere may be another device
        runner.check(study, options)
        check_ready(study, is_elsewhere=not here)
        check_inputs(study)
        for line in describe_reading(study):
            print_line(console, f"{study.name}: {line}")
        if budget_hours is not None:
            check_forecast(
                study,
                missing,
                records,
                store,
                console,
                budget_hours=budget_hours,
                times_steps=here,
                workers_per_gpu=workers_per_gpu(study, missing, options.workers) if here else 1,
            )
    study = store.open(import_arms(study, store, console))
    store.tidy()
    missing = [cell for cell in missing if cell.identity not in again or set_record_aside(cell, store, is_old)]
    counts = f"{len(cells)} cells, {len(cells) - len(missing)} done, {len(missing)} to run"
    imported = len(imported_cells(study))
    print_line(console, f"{study.name}: {counts}{f', {imported} imported' if imported else ''}")
    if missing:
        _drop_stale(missing, store)
        before = second_records(store)
        try:
            with Board(missing, store, console):
                runner.run(study, missing, store, options)
        finally:
            _show_twice(study, store, before, console)
    to_run = {cell.identity for cell in missing}
    ran = store.read_all(missing)
    _show_failed(study, [*(record for record in records if record.identity not in to_run), *ran], store, console)
    _check(missing, ran, store, options)
    return sum(record.status is Status.CRASHED for record in ran)


def _changed(records: Sequence[Record]) -> dict[str, str | None]:
    """The present code of the methods of which a record has another, by the label of the arm."""
    methods = {record.cell.label: cell_method(record.cell) for record in records if record.method_sha256}
    present = {label: method_sha256(method) for label, method in methods.items()}
    return {record.cell.label: present[record.cell.label] for record in records if _is_changed(record, present)}


def _is_changed(record: Record, present: Mapping[str, str | None]) -> bool:
    """Whether the method's code was another one when the cell was optimised, as far as both are known."""
    now = present.get(record.cell.label)
    return None not in (now, record.method_sha256) and now != record.method_sha256


def _drop_stale(missing: Sequence[Cell], store: RunStore) -> None:
    """Delete what was made of former records of cells that run again, which were set aside or moved away.

    Without its table of scores a run is not reported before it is scored again; the other scores are kept.  A report of
    former records is set aside.
    """
    for cell in missing:
        for mesh in store.folder.glob(f"meshes/{cell.folder_name}--*.glb"):
            mesh.unlink(missing_ok=True)
    if not scored_cells(store).isdisjoint(cell.identity for cell in missing):
        (store.folder / "scores.parquet").unlink(missing_ok=True)
        if (store.folder / "report").is_dir():
            store.set_aside(store.folder / "report")


def _show_twice(study: Study, store: RunStore, before: Sequence[Path], console: Console) -> None:
    """Print a line if cells were computed twice while this run was watching, by whichever process."""
    twice = sorted({cell_of_second(folder) for folder in second_records(store) if folder not in before})
    if twice:
        more = f" and {len(twice) - 1} more" if len(twice) > 1 else ""
        print_line(
            console,
            f"{study.name}: computed twice: {twice[0]}{more}: the locks of this file system may hold on one machine "
            f"only, unless records were copied here meanwhile; first records are kept, second ones are in "
            f"{store.folder / 'set-aside'}",
        )


def _show_failed(study: Study, records: Sequence[Record], store: RunStore, console: Console) -> None:
    """Print a line if cells of the study have failed, now or in an earlier run: how many, and which record says why."""
    failed = sorted((record for record in records if record.status.failed), key=lambda each: each.status)
    if failed:  # crashed cells come first
        counts = Counter(record.status.value for record in failed)
        kinds = ", ".join(f"{count} {status}" for status, count in counts.items())
        place = store.cell_folder(failed[0].cell) / RECORD_FILE
        print_line(
            console,
            f"{study.name}: {len(failed)} of {len(records)} cells failed ({kinds}); why, with the traceback of an "
            f"error, is in the record of each, such as {place}; sdibench run {as_argument(store.folder)} "
            "--retry-failed runs them again",
        )


def _check(cells: Sequence[Cell], records: Sequence[Record], store: RunStore, options: EngineOptions) -> None:
    """Raise RunError unless each of the cells that were to run has a record, and few enough have failed."""
    missing = len(cells) - len(records)
    if options.fail_after is not None:
        failed = sum(record.status.failed for record in records)
        if failed >= options.fail_after:
            raise RunError(
                f"{failed} of {len(records)} cells failed (--fail-after {options.fail_after}), {missing} were not "
                f"finished; what the workers said is in {store.folder / 'logs'}"
            )
    if missing:
        raise RunError(f"{missing} of {len(cells)} cells have no record; the same command goes on with them")

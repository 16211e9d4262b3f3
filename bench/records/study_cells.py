"""The cells of a study whose records are read, also where a package that one of its parts is from is missing."""

from __future__ import annotations

from typing import NamedTuple

from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.record import AnyRecord
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.imported_arms import all_cells
from bench.study.imported_cell import AnyCell
from bench.study.settings import CellSettings, is_imported
from bench.study.study import Study
from methods.registry import UnknownNameError


class StudyCells(NamedTuple):
    """The cells of a study, as far as they are known here."""

    cells: list[AnyCell]
    """In the study's order."""
    unknown_part: str = ""
    """Why those without a record are not among them; "" if all are."""


def study_cells(study: Study, store: RunStore) -> StudyCells:
    """Find the cells of a study; those with a record, where a part of the study is not registered here.

    A finished run can then be read without the package of a method, a strategy, a scene or a metric.

    Raises:
        InputError, UnknownNameError, WeightsError, PromptSetError: As ``expand``; of a study that is not of a run
            folder, for a part that is not registered, too.
    """
    try:
        return StudyCells(all_cells(study))
    except (InputError, UnknownNameError) as error:
        if study.pinned is None or not isinstance(error.__cause__ or error, UnknownNameError):
            raise
        return StudyCells(_recorded(study, store), str(error))


def _recorded(study: Study, store: RunStore) -> list[AnyCell]:
    """The study's cells that have a record; of two for one place, as after a change of the code, the later one.

    Raises:
        InputError: If the only record for a place is corrupt.
    """
    own = {label: study.of_arm(label) for label, arm in study.methods.items() if not is_imported(arm)}
    places = {
        (label, prompt.id, seed): None
        for seed in study.seeds
        for prompt in study.chosen_prompts()
        for label in study.methods
    }  # in the order of expand
    found: dict[tuple[str, str, int], AnyRecord] = {}
    broken: dict[str, InputError] = {}
    for folder in store.record_folders():
        try:
            record = read_record(folder)
        except InputError as error:
            broken[folder.name.rpartition("--")[0]] = error
            continue
        cell = record.cell
        place = (cell.label, cell.prompt_id, cell.seed)
        before = found.get(place)
        if _is_of(cell, own.get(cell.label)) and (before is None or before.started_at < record.started_at):
            found[place] = record
    for label, prompt, seed in places.keys() - found.keys():
        if (why := broken.get(f"{label}--{prompt}--s{seed}")) is not None:
            raise why
    return [found[place].cell for place in places if place in found]


def _is_of(cell: AnyCell, arm: Study | None) -> bool:
    """Whether a cell has the settings of an arm, as far as they need no registry; ``arm`` is None for imported ones."""
    if arm is None or not isinstance(cell, Cell):
        return arm is None and not isinstance(cell, Cell)
    return all(getattr(cell, name) == getattr(arm, name) for name in CellSettings.model_fields)

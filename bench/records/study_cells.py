"""The cells of a study whose records are read, also where a package that one of its parts is from is missing."""

from __future__ import annotations

from typing import NamedTuple, Self

from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.record import AnyRecord
from bench.records.store import RunStore
from bench.study.cell import Cell
from bench.study.expand import expand
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
    prompts = {prompt.id: prompt.text for prompt in study.chosen_prompts()}
    arms = {label: _Arm.of(study, label) for label in study.methods}
    places = {(label, prompt, seed): None for seed in study.seeds for prompt in prompts for label in arms}  # as expand
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
        if place not in places or cell.prompt != prompts[cell.prompt_id] or not arms[cell.label].has(cell):
            continue
        before = found.get(place)
        if before is None or before.started_at < record.started_at:
            found[place] = record
    for label, prompt, seed in places.keys() - found.keys():
        if (why := broken.get(f"{label}--{prompt}--s{seed}")) is not None:
            raise why
    return [found[place].cell for place in places if place in found]


class _Arm(NamedTuple):
    """An arm, as far as it is known here."""

    study: Study | None
    """The arm's own study; None for an imported one."""
    method: str
    """Name of its method."""
    identities: frozenset[str] | None
    """Identities of its cells; None if one of its parts is not registered here."""

    @classmethod
    def of(cls, study: Study, label: str) -> Self:
        """The arm with the label."""
        if is_imported(study.methods[label]):
            return cls(None, "", None)
        own = study.of_arm(label)
        try:
            identities = frozenset(cell.identity for cell in expand(study.narrow(methods=[label])))
        except (InputError, UnknownNameError):
            identities = None
        return cls(own, str(own.methods[label].get("method", label)), identities)

    def has(self, cell: AnyCell) -> bool:
        """Whether a cell is one of the arm, as far as that can be said without the parts that are missing."""
        if self.study is None or not isinstance(cell, Cell):
            return self.study is None and not isinstance(cell, Cell)
        if self.identities is not None:
            return cell.identity in self.identities
        is_same = all(getattr(cell, name) == getattr(self.study, name) for name in CellSettings.model_fields)
        pinned = self.study.pinned
        is_same &= pinned is None or cell.prior_sha256 == pinned.prior.weights_sha256
        return is_same and cell.method == self.method

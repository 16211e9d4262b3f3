"""The cells of a study whose records are read, also where a package that one of its parts is from is missing."""

from __future__ import annotations

from typing import NamedTuple

from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.store import RunStore
from bench.study.imported_arms import all_cells
from bench.study.imported_cell import AnyCell
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
    """The study's cells that have a record; of two for one place, as after a change of the code, the later one."""
    labels, prompts = list(study.methods), [prompt.id for prompt in study.chosen_prompts()]
    places = {
        (seed, prompt, label): None for seed in study.seeds for prompt in prompts for label in labels
    }  # in the order of expand
    found = {}
    for record in sorted(map(read_record, store.record_folders()), key=lambda record: record.started_at):
        cell = record.cell
        found[cell.seed, cell.prompt_id, cell.label] = cell
    return [found[place] for place in places if place in found]

"""The arms of a study whose images were made elsewhere, and their cells."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pydantic import JsonValue

from bench.errors import InputError
from bench.study.expand import expand
from bench.study.imported_cell import AnyCell, ImportedCell
from bench.study.pinned import PinnedRenders
from bench.study.settings import RENDERS, is_imported
from bench.study.study import Study

#: Keys of an imported arm.
_KEYS = (RENDERS, "known")


class ImportedArm(NamedTuple):
    """An arm whose images were made elsewhere."""

    layout: dict[str, JsonValue]  # registered name of the layout, and its settings
    folder: str
    table: str | None  # path of a CSV that says which prompt each folder is of
    known: dict[str, JsonValue]  # facts that the user states


def imported_arms(study: Study) -> dict[str, ImportedArm]:
    """The imported arms of a study by label.

    Raises:
        InputError: If one of them is malformed.
    """
    return {label: _arm(study, label) for label, table in study.methods.items() if is_imported(table)}


def imported_cells(study: Study) -> list[ImportedCell]:
    """The cells of the imported arms whose renders the run folder knows, for the study's prompts.

    Raises:
        InputError: If an arm is malformed.
        PromptSetError: If there is no such prompt set.
    """
    if study.pinned is None:
        return []
    arms = imported_arms(study)
    prompts = {prompt.id: prompt.text for prompt in study.chosen_prompts()}
    return [
        ImportedCell(
            label=label,
            layout=arms[label].layout,
            prompt_id=renders.prompt_id,
            prompt=prompts[renders.prompt_id],
            seed=renders.seed,
            evaluation=study.evaluation,
            sha256=renders.sha256,
            has_evaluation_cameras=renders.has_evaluation_cameras,
            known={**renders.known, **arms[label].known},
        )
        for label in arms
        for renders in study.pinned.imports.get(label, ())
        if renders.prompt_id in prompts
    ]


def united_renders(studies: Sequence[Study]) -> dict[str, tuple[PinnedRenders, ...]]:
    """The renders of the imported arms of several run folders.

    Raises:
        InputError: If two of them have other renders of the same arm, prompt and seed.
    """
    found: dict[str, dict[tuple[str, int], PinnedRenders]] = {}
    for study in studies:
        for label, renders in study.pinned.imports.items() if study.pinned else ():
            kept = found.setdefault(label, {})
            for each in renders:
                first = kept.setdefault((each.prompt_id, each.seed), each)
                if first.sha256 != each.sha256:
                    raise InputError(
                        f"methods.{label}: the renders of {each.prompt_id} (seed {each.seed}) differ between the runs "
                        f"(SHA-256 {first.sha256:.12} and {each.sha256:.12}): they cannot be merged"
                    )
    return {label: tuple(kept.values()) for label, kept in found.items()}


def all_cells(study: Study) -> list[AnyCell]:
    """Every cell of a study: those that are optimised, and those that were imported, by arm in the study's order.

    Raises:
        InputError, UnknownNameError, WeightsError, PromptSetError: As ``expand``.
    """
    return [*expand(study), *imported_cells(study)]


def _arm(study: Study, label: str) -> ImportedArm:
    where = f"{study.name}: methods.{label}"
    given = study.methods[label]
    for name in given:
        if name not in _KEYS:
            raise InputError(f"{where}: unknown key {name!r}: an arm with {RENDERS} has only {' and '.join(_KEYS)}")
    renders, known = given[RENDERS], given.get("known", {})
    example = '{ name = "frames", folder = "renders" }'
    if not isinstance(renders, dict) or not all(isinstance(renders.get(name), str) for name in ("name", "folder")):
        raise InputError(f"{where}.{RENDERS} = {renders!r}: must be a table with name and folder, such as {example}")
    if not isinstance(known, dict):
        raise InputError(f"{where}.known = {known!r}: must be a table of facts, such as {{ steps = 10000 }}")
    layout = {name: value for name, value in renders.items() if name not in ("folder", "table")}
    table = renders.get("table")
    if table is not None and not isinstance(table, str):
        raise InputError(
            f"{where}.{RENDERS}.table = {table!r}: must be the path of a CSV with the columns folder, prompt"
        )
    return ImportedArm(layout, str(renders["folder"]), table, known)

"""The scene of a cell before its first step, with the contents of the files and records that it starts from."""

from __future__ import annotations

from functools import partial

from bench.cells.finished_scene import load_scene
from bench.errors import InputError
from bench.records.read_record import read_record
from bench.study.cell import Cell
from bench.study.inputs import CellInput, check_unchanged, find_inputs
from bench.study.resolve import cell_scene
from bench.study.study import Study
from bench.watch.divergence import Status
from methods.inputs import FileInput, Input, RecordInput, with_inputs
from methods.scenes.scene import SceneSettings


def initial_scene(cell: Cell) -> SceneSettings:
    """The settings of a cell's scene, complete.

    Raises:
        InputError: If the settings are not those of the scene, or an input is missing, broken or another one.
    """
    return with_inputs(cell_scene(cell), partial(_complete, cell))


def check_inputs(study: Study) -> None:
    """Read whatever scenes of the study start from, as each cell will; one that many cells share is read once.

    Raises:
        InputError: If an input is missing, broken or another one than the run was started with.
    """
    checked: set[tuple[str, Input]] = set()
    for (label, prompt_id, seed), parts in find_inputs(study).items():
        for field, part in parts.items():
            if (prompt_id, part) not in checked:
                _read(CellInput(label, prompt_id, seed, field, part), f"{study.name}: {study.scene_key(label)}.{field}")
                checked.add((prompt_id, part))


def _complete(cell: Cell, field: str, part: Input) -> object:
    return _read(CellInput(cell.label, cell.prompt_id, cell.seed, field, part), f"{cell.label}: scene.{field}")


def _read(each: CellInput, where: str) -> object:
    """The part that is in the place of an input when the scene is built."""
    path = check_unchanged(each, where)
    try:
        if isinstance(each.part, FileInput):
            each.part.check()
        if isinstance(each.part, RecordInput):
            status = read_record(path.parent).status
            if status is not Status.COMPLETED:
                raise InputError(f"{where}: run: {path.parent} ended as {status}; give an arm or seed that completed")
            return each.part.made_from(load_scene(path.parent))
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error
    return each.part

"""The scene of a finished record."""

from __future__ import annotations

import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from bench.cells.streams import make_streams
from bench.errors import InputError
from bench.records.read_record import read_record
from bench.records.reading import refusals, require_readable
from bench.records.record import RECORD_FILE, ImportedRecord
from bench.records.store import RunStore
from bench.study.cell import SCENE_FILE, Cell
from bench.study.resolve import cell_scene
from methods.inputs import with_inputs
from methods.priors.loading import load_prior
from methods.scenes.portable import portable
from methods.scenes.scene import Scene, SceneSettings
from methods.weights import file_sha256


class NoSceneHereError(InputError):
    """A scene that this machine cannot build, because a package is missing or differs."""


def load_scene(record_folder: Path) -> Scene:
    """The scene of a record at the end of its cell, on the CPU.

    Raises:
        NoSceneHereError: If the scene cannot be built here.
        InputError: If the record is corrupt or has no scene, or the scene's file has other content than was written.
        StorageError: If the file system refuses to read the file.
    """
    if not record_folder.is_dir():
        why = "is a file" if record_folder.exists() else "there is no such folder"
        raise InputError(f"{record_folder}: {why}; give a cell's folder, such as runs/quick/cells/sdi--blue-duck--…")
    if not (record_folder / RECORD_FILE).is_file():
        raise InputError(f"{record_folder}: {_instead_of_cell(record_folder)}")
    record = read_record(Path(os.path.abspath(record_folder)))  # noqa: PTH100, "." has a name, and links stay links
    path = record_folder / SCENE_FILE
    if isinstance(record, ImportedRecord):
        raise InputError(f"{record_folder}: has images that were made elsewhere, and no scene")
    if SCENE_FILE not in record.file_bytes:
        raise InputError(f"{record_folder}: has no {SCENE_FILE}, since the cell ended as {record.status}")
    with refusals(path):
        found, written = file_sha256(path), record.file_sha256.get(SCENE_FILE, "of no file")
    if found != written:
        raise InputError(
            f"{path}: corrupt record: SHA-256 is {found:.12}…, was {written:.12}…; the scene has changed since it was "
            "written (sdibench verify names all files that have)"
        )
    scene = _build(record.cell, record_folder)
    try:
        require_readable(path)
        state = load_file(path)
    except (OSError, SafetensorError) as error:
        raise InputError(f"{path}: is not the scene that the record describes ({_shown(error)})") from error
    try:
        scene.resize(state)
        scene.load_state_dict(state)
    except (RuntimeError, AttributeError) as error:  # the file is as it was written, so the code is another one
        raise NoSceneHereError(f"{path}: is not the scene that the record describes ({_shown(error)})") from error
    return scene


def _shown(error: Exception) -> str:
    return f"{' '.join(str(error).split()):.200}"


def _instead_of_cell(folder: Path) -> str:
    """Describe a folder without a record, and the folder to give in its place."""
    cells = RunStore(folder).record_folders() or RunStore(folder.parent).record_folders() * (folder.name == "cells")
    if cells:
        what = "the folder of all cells" if folder.name == "cells" else "a run folder"
        return f"is {what}; give the folder of one cell, such as {cells[0]}"
    return f"has no {RECORD_FILE}, so it is not a cell's folder; give one such as runs/quick/cells/sdi--blue-duck--…"


def _build(cell: Cell, where: Path) -> Scene:
    try:
        # a scene with geometry does not depend on the prior, and one of latents has no geometry; and this machine need
        # have neither the inputs nor the packages of the one that optimised it
        settings: SceneSettings = portable(with_inputs(cell_scene(cell), lambda _, part: part.stand_in()))
        return settings.build(load_prior("gaussian"), make_streams(cell.seed, cell.prompt_id)["init"])
    except InputError as error:
        raise NoSceneHereError(f"{where}: {error}") from error
    except (TypeError, ValueError, RuntimeError, ImportError, LookupError) as error:
        raise NoSceneHereError(f"{where}: the scene cannot be built here: {error}") from error

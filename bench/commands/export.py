"""Command ``export``: a finished cell's scene as a mesh that other programs open."""

from __future__ import annotations

import os
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file

from bench.cells.streams import make_streams
from bench.commands.mesh_files import MESH_FILES
from bench.errors import InputError
from bench.records.atomic import new_file
from bench.records.reading import require_readable
from bench.records.record import RECORD_FILE, SCENE_FILE
from bench.records.store import RunStore, read_record
from bench.study.cell import Cell
from bench.study.resolve import cell_scene
from methods.pixels import NotFiniteError
from methods.priors.loading import load_prior
from methods.scenes.mesh import extract_mesh, silhouette_level
from methods.scenes.portable import portable
from methods.scenes.scene import Scene, SceneSettings

#: Least and most points along an edge of the grid: 512³ densities are half a gibibyte.
RESOLUTIONS = (8, 512)


def export_mesh(record_folder: Path, out: Path, *, resolution: int = 96, level: float | None = None) -> Path:
    """Write the scene of a record as a mesh; the diffusion prior is not needed.

    In the file y is up and the object's front faces +z, as glTF has it.  Vertex colours are the field's, without
    light.

    Args:
        record_folder: A cell's folder, ``runs/<study>/cells/<cell>``.
        out: The file to write, which ends in ``.glb``, ``.ply`` or ``.obj``; an existing one is replaced.
        resolution: Points along an edge of the grid that the density is read on.
        level: Density per world unit at the surface; by default the one with the silhouette of the renders
            (:func:`methods.scenes.mesh.silhouette_level`).

    Raises:
        InputError: If the record is corrupt or has no scene, the scene has no geometry or no surface, or an argument
            is wrong.
        StorageError: If ``out`` cannot be written.
    """
    least, most = RESOLUTIONS
    if not least <= resolution <= most:
        raise InputError(f"resolution = {resolution}: must be from {least} to {most} points")
    if level is not None and not 0 < level < float("inf"):
        raise InputError(f"level = {level}: must be a positive density")
    if out.suffix.lower() not in MESH_FILES:
        raise InputError(f"{out}: must end in {', '.join(MESH_FILES)}, the formats that are written")
    scene = load_scene(record_folder)
    volume = scene.volume()
    if volume is None:
        raise InputError(f"{record_folder}: {type(scene).__name__} is a scene without geometry, so there is no mesh")
    level = silhouette_level(scene, volume) if level is None else level
    mesh = None if level is None else extract_mesh(volume, resolution=resolution, level=level)
    if mesh is None:
        what = "its renders are empty" if level is None else f"no density crosses {level:.3g}"
        raise InputError(f"{record_folder}: the scene has no surface ({what})")
    try:
        content = MESH_FILES[out.suffix.lower()](mesh)
    except NotFiniteError as error:
        raise InputError(f"{record_folder}: the mesh of the scene cannot be coloured: {error}") from error
    with new_file(out) as temporary:
        temporary.write_bytes(content)
    return out


def load_scene(record_folder: Path) -> Scene:
    """The scene of a record at the end of its cell, on the CPU.

    Raises:
        InputError: If the record is corrupt or has no scene, or the scene cannot be built here.
    """
    if not record_folder.is_dir():
        why = "is a file" if record_folder.exists() else "there is no such folder"
        raise InputError(f"{record_folder}: {why}; give a cell's folder, such as runs/quick/cells/sdi--blue-duck--…")
    if not (record_folder / RECORD_FILE).is_file():
        raise InputError(f"{record_folder}: {_instead_of_cell(record_folder)}")
    record = read_record(Path(os.path.abspath(record_folder)))  # noqa: PTH100, "." has a name, and links stay links
    path = record_folder / SCENE_FILE
    if SCENE_FILE not in record.file_bytes:
        raise InputError(f"{record_folder}: has no {SCENE_FILE}, since the cell ended as {record.status}")
    scene = _build(record.cell, record_folder)
    try:
        require_readable(path)
        state = load_file(path)
        scene.resize(state)
        scene.load_state_dict(state)
    except (OSError, SafetensorError, RuntimeError, AttributeError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"{path}: is not the scene that the record describes ({why:.200})") from error
    return scene


def _instead_of_cell(folder: Path) -> str:
    """Describe a folder without a record, and the folder to give in its place."""
    cells = RunStore(folder).record_folders() or RunStore(folder.parent).record_folders() * (folder.name == "cells")
    if cells:
        what = "the folder of all cells" if folder.name == "cells" else "a run folder"
        return f"is {what}; give the folder of one cell, such as {cells[0]}"
    return f"has no {RECORD_FILE}, so it is not a cell's folder; give one such as runs/quick/cells/sdi--blue-duck--…"


def _build(cell: Cell, where: Path) -> Scene:
    try:
        settings: SceneSettings = portable(cell_scene(cell))  # this machine may lack the packages it was optimised with
        # a scene with geometry does not depend on the prior, and one of latents has no geometry
        return settings.build(load_prior("gaussian"), make_streams(cell.seed, cell.prompt_id)["init"])
    except InputError as error:
        raise InputError(f"{where}: {error}") from error
    except (TypeError, ValueError, RuntimeError, ImportError, LookupError) as error:
        raise InputError(f"{where}: the scene cannot be built here: {error}") from error

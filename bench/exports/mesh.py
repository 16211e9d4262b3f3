"""The surface of a finished cell's scene as a file of a mesh."""

from __future__ import annotations

from pathlib import Path

from bench.cells.finished_scene import load_scene
from bench.errors import InputError
from bench.exports.mesh_files import MESH_FILES
from bench.records.atomic import write_bytes_atomically
from methods.pixels import NotFiniteError
from methods.scenes.mesh import extract_mesh, silhouette_level


class NoMeshError(InputError):
    """A scene without a surface that a mesh could show."""


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
        NoSceneHereError: If the scene cannot be built here.
        NoMeshError: If the scene has no geometry or no surface, or its colours are not finite.
        InputError: If the record is corrupt or has no scene, or ``out`` has another ending.
        StorageError: If ``out`` cannot be written.
    """
    if out.suffix.lower() not in MESH_FILES:
        raise InputError(f"{out}: must end in {', '.join(MESH_FILES)}, the formats that are written")
    scene = load_scene(record_folder)
    volume = scene.volume()
    if volume is None:
        raise NoMeshError(f"{record_folder}: {type(scene).__name__} is a scene without geometry, so there is no mesh")
    level = silhouette_level(scene, volume) if level is None else level
    mesh = None if level is None else extract_mesh(volume, resolution=resolution, level=level)
    if mesh is None:
        what = "its renders are empty" if level is None else f"no density crosses {level:.3g}"
        raise NoMeshError(f"{record_folder}: the scene has no surface ({what})")
    try:
        content = MESH_FILES[out.suffix.lower()](mesh)
    except NotFiniteError as error:
        raise NoMeshError(f"{record_folder}: the mesh of the scene cannot be coloured: {error}") from error
    write_bytes_atomically(out, content)
    return out

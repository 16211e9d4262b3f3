"""A coloured mesh as a file that other programs open.

A GLB has its colours in COLOR_0, as linear floats (glTF 2.0, section 3.7.2.1), and no material, like the files that
trimesh and Open3D write.  trimesh has the colours of a primitive with any material in ``visual.vertex_attributes``
only, and loses them in ``load_mesh`` and in each conversion; without a material they are in ``visual.vertex_colors``,
as linear bytes, which it writes to PLY and OBJ unchanged.  The price is the default material of glTF, a rough metal
(section 5.19): in three.js r140 an sRGB colour of (200, 120, 60) shows as matt (167, 87, 38) in a white surrounding
and (106, 61, 28) under one light at the camera, where a matt dielectric material shows (201, 124, 70) and
(202, 123, 66).  PLY and OBJ have the colours of a screen.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from bench.records.reading import refusals
from methods.pixels import to_bytes
from methods.scenes.mesh import Mesh

if TYPE_CHECKING:
    from trimesh import Trimesh


def glb(mesh: Mesh) -> bytes:
    """The mesh as a binary glTF 2.0 file, with linear colours in floats and no material.

    Raises:
        NotFiniteError: If a colour is NaN or infinite.
    """
    from trimesh.exchange.gltf import export_glb

    to_bytes(torch.from_numpy(mesh.rgb))  # refuses colours that are not finite
    alpha = np.ones((len(mesh.rgb), 1))
    colours = np.concatenate([linear_colours(mesh.rgb.clip(0, 1)), alpha], axis=1).astype(np.float32)
    shape = _shape(mesh, vertex_attributes={"color": colours})
    return export_glb(shape.scene(), include_normals=True, tree_postprocessor=_finish)


def ply(mesh: Mesh) -> bytes:
    """The mesh as a binary PLY file; its colours are those of a screen (sRGB, 8 bits), by the format's convention.

    Raises:
        NotFiniteError: If a colour is NaN or infinite.
    """
    content: bytes = _screen_colours(mesh).export(file_type="ply")  # type: ignore[assignment]
    return content


def obj(mesh: Mesh) -> bytes:
    """The mesh as an OBJ file with the colours of a screen behind the coordinates of each vertex.

    Raises:
        NotFiniteError: If a colour is NaN or infinite.
    """
    text: str = _screen_colours(mesh).export(file_type="obj", include_normals=False)  # type: ignore[assignment]
    return text.encode()


#: Writers by the ending of the file.
MESH_FILES: dict[str, Callable[[Mesh], bytes]] = {".glb": glb, ".ply": ply, ".obj": obj}


def is_whole_glb(path: Path) -> bool:
    """Whether a file has the header of a GLB (glTF 2.0, section 4.4.2) and the length that it states.

    Raises:
        StorageError: If it cannot be read.
    """
    if not path.is_file():
        return False
    with refusals(path), path.open("rb") as file:
        header = file.read(12)
    return len(header) == 12 and struct.unpack("<4sII", header) == (b"glTF", 2, path.stat().st_size)


def linear_colours(rgb: NDArray[np.floating[Any]]) -> NDArray[np.floating[Any]]:
    """Linear colours of glTF's vertices from sRGB colours in [0, 1] (IEC 61966-2-1)."""
    return np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)


def _screen_colours(mesh: Mesh) -> Trimesh:
    return _shape(mesh, vertex_colors=to_bytes(torch.from_numpy(mesh.rgb)))


def _shape(mesh: Mesh, **colours: Any) -> Trimesh:
    """The mesh with y up and the front at +z (glTF 2.0, section 3.4): a turn, which keeps the faces' sense."""
    from trimesh import Trimesh  # with what it imports, 20 MB, which a report without meshes does not need

    return Trimesh(mesh.vertices[:, [1, 2, 0]], mesh.faces, process=False, **colours)


def _finish(tree: dict[str, Any]) -> None:
    """Name the colours as glTF does; trimesh by itself writes colours in 8 bits only."""
    for mesh in tree["meshes"]:
        for primitive in mesh["primitives"]:
            primitive["attributes"]["COLOR_0"] = primitive["attributes"].pop("_color")

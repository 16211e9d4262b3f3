"""All meshes of a prompt in one 3D view: trimesh's viewer, which needs no network."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from reports.frames import ReportError, ReportFrames
from reports.pages.cell_rows import PromptRows
from reports.pages.images import Put

if TYPE_CHECKING:
    import trimesh

_PER_ROW: Final = 5  # meshes at most
_GAP: Final = 1.15  # distance between meshes, in sizes of the largest
_FOV_DEG: Final = 30.0  # vertical
_ASPECT: Final = 2.0  # width over height of the frame on the page
#: Factor of vertex colours, because the viewer's light has an intensity of 1.75.
_BASE: Final = (0.55, 0.55, 0.55, 1.0)
_POLICY: Final = (
    "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; connect-src data:; img-src data: blob:"
)


@dataclass(frozen=True)
class MeshView:
    """The file of a viewer and the labels of its meshes."""

    path: str  # relative to the report's folder
    rows: tuple[tuple[str, ...], ...]  # labels, from the top, each from left to right
    bytes: int


def write_meshes(frames: ReportFrames, prompts: Sequence[PromptRows], put: Put) -> dict[str, MeshView]:
    """Write a viewer for each prompt that has meshes.

    Returns:
        Viewers by prompt id.

    Raises:
        ReportError: If a file is not a mesh.
    """
    known = frames.cells.dropna(subset="mesh_path")
    paths = dict(zip(known["cell"], map(Path, known["mesh_path"]), strict=True))
    views = {}
    for prompt in prompts:
        meshes = {row.label: paths[row.cell] for row in prompt.rows if row.cell in paths}
        if meshes:
            content = mesh_viewer(meshes)
            name = prompt.page.replace("prompts/", "meshes/", 1)
            put(name, content)
            views[prompt.prompt_id] = MeshView(name, _rows(tuple(meshes)), len(content))
    return views


def mesh_viewer(meshes: Mapping[str, Path]) -> bytes:
    """Write a page of meshes (GLB, y up, front to +z) side by side in one scale; the same meshes give the same bytes.

    Args:
        meshes: Files by label, from left to right and then from top to bottom.

    Raises:
        ReportError: If a file is not a mesh.
    """
    import trimesh
    from trimesh.viewer.notebook import scene_to_html

    parts = [_load(path) for path in meshes.values()]
    step = _GAP * np.max([part.extents for part in parts], axis=0)
    scene = trimesh.Scene()
    places = [(row, column) for row, labels in enumerate(_rows(tuple(meshes))) for column in range(len(labels))]
    for index, (part, (row, column)) in enumerate(zip(parts, places, strict=True)):
        part.apply_translation(-part.bounds.mean(axis=0) + [column * step[0], -row * step[1], 0.0])
        _ = part.vertex_normals  # computes normals, which are written and make the surface smooth
        scene.add_geometry(part, geom_name=f"mesh-{index}", node_name=f"mesh-{index}")
    scene.camera = trimesh.scene.Camera(name="viewer", fov=(_ASPECT * _FOV_DEG, _FOV_DEG))
    scene.camera_transform = _in_front_of(scene.bounds)
    page = scene_to_html(scene)
    return page.replace("<head>", f'<head><meta http-equiv="Content-Security-Policy" content="{_POLICY}">', 1).encode()


def _rows(labels: tuple[str, ...]) -> tuple[tuple[str, ...], ...]:
    """Distribute the labels evenly over rows."""
    across = math.ceil(len(labels) / math.ceil(len(labels) / _PER_ROW))
    return tuple(labels[start : start + across] for start in range(0, len(labels), across))


def _load(path: Path) -> trimesh.Trimesh:
    import trimesh

    try:
        mesh = trimesh.load_mesh(path, skip_materials=True)
    except Exception as error:  # trimesh raises many types of errors for broken files
        raise ReportError(f"cells.mesh_path: {path} cannot be read as a mesh ({type(error).__name__})") from error
    if not len(mesh.faces):
        raise ReportError(f"cells.mesh_path: {path} has no faces")
    visual: Any = mesh.visual
    colours = visual.vertex_colors
    matt = trimesh.visual.material.PBRMaterial(baseColorFactor=_BASE, metallicFactor=0.0, roughnessFactor=1.0)
    mesh.visual = trimesh.visual.TextureVisuals(material=matt)
    mesh.visual.vertex_attributes["color"] = _to_srgb(colours)
    return mesh


def _to_srgb(colours: np.ndarray) -> np.ndarray:
    """Convert glTF's linear colours to sRGB (IEC 61966-2-1), both uint8, because the viewer does not."""
    linear = colours[:, :3] / 255
    shown = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.column_stack([np.round(255 * shown), colours[:, 3]]).astype(np.uint8)


def _in_front_of(bounds: np.ndarray) -> np.ndarray:
    """Return the pose of a camera that looks along −z and sees all of a box."""
    width, height, depth = np.ptp(bounds, axis=0)
    away = 0.53 * max(width / _ASPECT, height) / np.tan(np.radians(_FOV_DEG) / 2) + depth / 2
    pose = np.eye(4)
    pose[:3, 3] = bounds.mean(axis=0)
    pose[2, 3] += away
    return pose

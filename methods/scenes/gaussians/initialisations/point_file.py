"""Files of points and of meshes, as points that Gaussians can start at."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from methods.scenes.gaussians.harmonics import HARMONIC_0
from methods.scenes.gaussians.initialisations.initialisation import Points
from methods.scenes.gaussians.initialisations.sampling import choose_on_triangles, resample

if TYPE_CHECKING:
    import trimesh

#: Endings of the files that are read, which hold all of their content: the textures of an OBJ are other files.
ENDINGS = (".ply", ".obj", ".glb")

#: Properties of colours in 3D Gaussian Splatting's files: coefficients of the harmonic of degree 0.
_DEGREE_0 = ("f_dc_0", "f_dc_1", "f_dc_2")


@dataclass(frozen=True)
class PointsInFile:
    """Points of a file, in its own coordinates."""

    points: Points

    @property
    def vertices(self) -> Tensor:
        """All of its points, ``(n 3)``."""
        return self.points.positions

    def sample(self, count: int, generator: torch.Generator) -> Points:
        """``count`` of the points, repeated and moved a little if there are fewer."""
        return resample(self.points, count, generator)


@dataclass(frozen=True)
class MeshesInFile:
    """Meshes of a file, in its own coordinates."""

    meshes: list[trimesh.Trimesh]
    is_linear: bool  # whether the colours of vertices are of light, as glTF has them, not of a screen

    @property
    def vertices(self) -> Tensor:
        """The vertices of all of its triangles, ``(n 3)``."""
        return torch.cat([torch.from_numpy(np.array(mesh.triangles, float)).flatten(0, 1) for mesh in self.meshes])

    def sample(self, count: int, generator: torch.Generator) -> Points:
        """``count`` points on the surface, evenly over its area."""
        triangles = self.vertices.unflatten(0, (-1, 3))
        chosen, weights = choose_on_triangles(triangles, count, generator)
        positions = (weights[:, :, None] * triangles[chosen]).sum(1)
        rgb, known, first = torch.full((count, 3), 0.5), False, 0
        for mesh in self.meshes:
            here = (chosen >= first) & (chosen < first + len(mesh.faces))
            colours = surface_colours(
                mesh, (chosen[here] - first).numpy(), weights[here].numpy(), is_linear=self.is_linear
            )
            if colours is not None:
                rgb[here], known = torch.from_numpy(colours).float(), True
            first += len(mesh.faces)
        return Points(positions, rgb if known else None)


def read_shape(
    content: bytes, ending: str, resolver: trimesh.resolvers.Resolver | None = None
) -> PointsInFile | MeshesInFile:
    """The points or the meshes in a file.

    Args:
        content: The file.
        ending: Its ending, one of ``ENDINGS``.
        resolver: The other files that an OBJ names: materials and textures; None leaves them out.

    Raises:
        ValueError: If it is not such a file, or has no points, no area, or coordinates or colours that are not finite.
    """
    import trimesh

    try:
        scene = trimesh.load_scene(io.BytesIO(content), file_type=ending[1:], process=False, resolver=resolver)
        parts: list[Any] = scene.dump()
    except Exception as error:  # trimesh raises many types of errors for broken files
        raise ValueError(f"cannot be read as {ending[1:].upper()} ({type(error).__name__}: {error!s:.100})") from error
    parts = [part for part in parts if len(getattr(part, "vertices", ()))]
    meshes = [part for part in parts if isinstance(part, trimesh.Trimesh) and len(part.faces)]
    clouds = [part for part in parts if isinstance(part, trimesh.PointCloud)]
    shape: PointsInFile | MeshesInFile
    if meshes:
        shape = MeshesInFile(meshes, is_linear=ending == ".glb")
    elif clouds:
        shape = PointsInFile(_joined(clouds))
    else:
        raise ValueError("holds no points and no triangles")
    broken = int((~shape.vertices.isfinite().all(dim=1)).sum())
    if broken:
        raise ValueError(f"{broken} of its {len(shape.vertices)} points are not finite")
    if meshes and not sum(mesh.area for mesh in meshes) > 0:
        raise ValueError("its triangles have no area")
    if isinstance(shape, PointsInFile) and shape.points.rgb is not None and not shape.points.rgb.isfinite().all():
        raise ValueError("some of its colours are not finite")
    return shape


def _joined(clouds: list[trimesh.PointCloud]) -> Points:
    positions = torch.cat([torch.from_numpy(np.array(cloud.vertices, float)) for cloud in clouds])
    colours = [_point_colours(cloud) for cloud in clouds]
    known = [each for each in colours if each is not None]
    return Points(positions, torch.from_numpy(np.concatenate(known)).float() if len(known) == len(clouds) else None)


def _point_colours(cloud: trimesh.PointCloud) -> np.ndarray | None:
    """Colours ``(n 3)`` in [0, 1] of points, those of Gaussians included; None if there are none."""
    fields = cloud.metadata.get("_ply_raw", {}).get("vertex", {}).get("data")
    names = () if fields is None else getattr(fields, "dtype", np.dtype([])).names or tuple(fields)
    if set(_DEGREE_0) <= set(names):
        coefficients = np.stack([np.asarray(fields[name], float).ravel() for name in _DEGREE_0], axis=1)
        return (0.5 + HARMONIC_0 * coefficients).clip(0, 1)
    if len(cloud.colors) != len(cloud.vertices):
        return None
    return np.asarray(cloud.colors, float)[:, :3] / 255


def surface_colours(
    mesh: trimesh.Trimesh, faces: np.ndarray, weights: np.ndarray, *, is_linear: bool
) -> np.ndarray | None:
    """Colours ``(n 3)`` of a screen, in [0, 1], at places on some faces; None for a mesh without colours."""

    def between(values: Any) -> np.ndarray:
        return (weights[:, :, None] * np.asarray(values, float)[mesh.faces[faces]]).sum(axis=1)

    visual: Any = mesh.visual
    if visual.kind == "face":
        return np.asarray(visual.face_colors, float)[faces, :3] / 255
    if visual.kind == "vertex":
        rgb = between(visual.vertex_colors)[:, :3] / 255
    elif visual.kind != "texture":
        return None
    elif visual.uv is not None and len(visual.uv) and has_image(visual.material):
        return np.asarray(visual.material.to_color(between(visual.uv)), float)[:, :3] / 255  # of a screen in glTF too
    elif "color" in getattr(visual, "vertex_attributes", {}):
        colours = np.asarray(visual.vertex_attributes["color"])
        rgb = between(colours)[:, :3] / (255 if colours.dtype == np.uint8 else 1)
    else:
        rgb = np.tile(np.asarray(visual.material.main_color, float)[:3] / 255, (len(faces), 1))
    return _to_screen(rgb) if is_linear else rgb


def has_image(material: Any) -> bool:
    """Whether a material has a texture of colours; many files have coordinates for one without it."""
    return (getattr(material, "baseColorTexture", None) or getattr(material, "image", None)) is not None


def _to_screen(linear: np.ndarray) -> np.ndarray:
    """Colours of a screen from those of light, both in [0, 1] (IEC 61966-2-1)."""
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.clip(0) ** (1 / 2.4) - 0.055)

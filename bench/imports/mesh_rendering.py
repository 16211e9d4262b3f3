"""Meshes to images, by rays on the CPU."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.imports.mesh_file import texture_of
from methods.cameras import Cameras
from methods.scenes.gaussians.initialisations.point_file import MeshesInFile, surface_colours

#: Colour of a mesh without colours.
_GREY = 0.5

#: Rays that are followed at once, for the memory of their results.
_RAYS_AT_ONCE = 2**19


@dataclass(frozen=True)
class MeshView:
    """One camera's image of a mesh."""

    rgb: np.ndarray  # (h w 3) in [0, 1], over the background
    opacity: np.ndarray  # (h w) in [0, 1]
    normals: np.ndarray  # (h w 3), unit vectors in the world weighted by opacity, towards the camera


class MeshRenderer:
    """Meshes at their place in the world, for rays from any camera.

    Args:
        shape: The meshes; their vertices are moved by ``turn``, ``middle`` and ``factor`` in this order.
        turn: Rotation ``(3 3)`` of column vectors.
        middle: The point ``(3,)`` that becomes the origin, after the turn.
        factor: Positive factor on all lengths.

    Raises:
        ImportError: If the package embreex is not installed.
    """

    def __init__(self, shape: MeshesInFile, turn: np.ndarray, middle: np.ndarray, factor: float) -> None:
        import trimesh
        from trimesh.ray.ray_pyembree import RayMeshIntersector

        self._shape = shape
        corners = [(np.array(mesh.vertices, float) @ turn.T - middle) * factor for mesh in shape.meshes]
        starts = np.cumsum([0, *(len(each) for each in corners)])
        self._vertices = np.concatenate(corners)
        self._faces = np.concatenate(
            [np.asarray(mesh.faces) + start for mesh, start in zip(shape.meshes, starts, strict=False)]
        )
        self._vertex_normals = np.concatenate([np.array(mesh.vertex_normals, float) @ turn.T for mesh in shape.meshes])
        self._first_faces = np.cumsum([0, *(len(mesh.faces) for mesh in shape.meshes)])
        self._radius = float(np.linalg.norm(self._vertices, axis=1).max())
        self._rays = RayMeshIntersector(trimesh.Trimesh(self._vertices, self._faces, process=False))

    def render(self, camera: Cameras, *, resolution: int, samples: int, background: float) -> MeshView:
        """Render one camera's image: the mean of ``samples``² rays through each pixel, at equal steps.

        Args:
            camera: One camera.
            resolution: Side of the image, pixels.
            samples: Rays along each side of a pixel.
            background: Grey level in [0, 1] behind the mesh.
        """
        rays = camera.rays(resolution * samples)
        rows = max(1, _RAYS_AT_ONCE // (resolution * samples**2)) * samples
        bands = zip(rays.origins[0].split(rows), rays.directions[0].split(rows), strict=True)
        parts = [
            self._render(origins.double().numpy(), directions.double().numpy(), samples, background)
            for origins, directions in bands
        ]
        return MeshView(*(np.concatenate(values) for values in zip(*parts, strict=True)))

    def _render(
        self, origins: np.ndarray, directions: np.ndarray, samples: int, background: float
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Colours, opacity and normals of some rows of an image, from their rays ``(rows columns 3)``."""
        rows, columns = origins.shape[:2]
        origins, directions = origins.reshape(-1, 3), directions.reshape(-1, 3)
        rgb, normals = np.full((len(origins), 3), float(background)), np.zeros((len(origins), 3))
        opacity = np.zeros((len(origins), 1))
        near = _passes_near(origins, directions, self._radius).nonzero()[0]
        faces = self._rays.intersects_first(origins[near], directions[near]) if len(near) else np.empty(0, int)
        hit, faces = near[faces >= 0], faces[faces >= 0]
        weights = self._weights(faces, origins[hit], directions[hit])
        opacity[hit] = 1.0
        rgb[hit] = self._colours(faces, weights)
        normals[hit] = self._normals(faces, weights, directions[hit])

        def mean(values: np.ndarray) -> np.ndarray:
            return values.reshape(rows // samples, samples, columns // samples, samples, -1).mean(axis=(1, 3))

        return mean(rgb), mean(opacity)[..., 0], mean(normals)

    def _weights(self, faces: np.ndarray, origins: np.ndarray, directions: np.ndarray) -> np.ndarray:
        """Weights ``(n 3)`` of the corners where rays meet their triangles, not negative and with the sum 1."""
        corner, one, other = self._vertices[self._faces[faces]].transpose(1, 0, 2)
        first, second = one - corner, other - corner
        across = np.cross(directions, second)
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = 1 / (first * across).sum(axis=1)
            start = origins - corner
            u = (start * across).sum(axis=1) * scale
            v = (directions * np.cross(start, first)).sum(axis=1) * scale
        found = np.stack([1 - u - v, u, v], axis=1)
        found = np.where(np.isfinite(found).all(axis=1)[:, None], found, 1 / 3).clip(0, 1)
        return found / found.sum(axis=1, keepdims=True)

    def _colours(self, faces: np.ndarray, weights: np.ndarray) -> np.ndarray:
        rgb = np.full((len(faces), 3), _GREY)
        for mesh, first in zip(self._shape.meshes, self._first_faces, strict=False):
            here = (faces >= first) & (faces < first + len(mesh.faces))
            if here.any():
                colours = _colours_of(mesh, faces[here] - first, weights[here], is_gltf=self._shape.is_linear)
                rgb[here] = _GREY if colours is None else colours
        return rgb.clip(0, 1)

    def _normals(self, faces: np.ndarray, weights: np.ndarray, directions: np.ndarray) -> np.ndarray:
        corner, one, other = self._vertices[self._faces[faces]].transpose(1, 0, 2)
        flat = np.cross(one - corner, other - corner)
        smooth = (weights[:, :, None] * self._vertex_normals[self._faces[faces]]).sum(axis=1)
        length = np.linalg.norm(smooth, axis=1, keepdims=True)
        found = np.where(length > 1e-6, smooth, flat)
        found /= np.linalg.norm(found, axis=1, keepdims=True).clip(1e-12)
        # both sides of a triangle are seen, by the side that it has and not by its smooth normal
        away = (flat * directions).sum(axis=1) > 0
        same = (flat * found).sum(axis=1) >= 0
        return np.where((away == same)[:, None], -found, found)


def _passes_near(origins: np.ndarray, directions: np.ndarray, radius: float) -> np.ndarray:
    """Whether rays with unit directions come as near to the origin as ``radius``."""
    nearest = origins - (origins * directions).sum(axis=1, keepdims=True) * directions
    return (nearest**2).sum(axis=1) <= (radius * 1.001) ** 2


def _colours_of(mesh: Any, faces: np.ndarray, weights: np.ndarray, *, is_gltf: bool) -> np.ndarray | None:
    """Colours ``(n 3)`` of a screen in [0, 1] at places on faces; None for a mesh without colours.

    In glTF the texture, the material's factor and the vertices' colours are multiplied as light (section 3.9.2); in OBJ
    a texture stands for the material's colour.
    """
    visual = mesh.visual
    if visual.kind != "texture":
        return surface_colours(mesh, faces, weights, is_linear=is_gltf)
    image = texture_of(mesh)
    texels = None
    if image is not None:
        texels = _look_up(image, (weights[:, :, None] * np.asarray(visual.uv, float)[mesh.faces[faces]]).sum(axis=1))
    if not is_gltf:
        return texels if texels is not None else surface_colours(mesh, faces, weights, is_linear=False)
    factor = getattr(visual.material, "baseColorFactor", None)
    light = (
        np.ones((len(faces), 3)) if factor is None else np.tile(np.asarray(factor, float)[:3] / 255, (len(faces), 1))
    )
    if (values := getattr(visual, "vertex_attributes", {}).get("color")) is not None:
        values = np.asarray(values)
        scale = np.iinfo(values.dtype).max if values.dtype.kind == "u" else 1
        light *= (weights[:, :, None] * values[mesh.faces[faces]][..., :3]).sum(axis=1) / scale
    if texels is not None:
        if (light == 1).all():
            return texels
        light *= np.where(texels <= 0.04045, texels / 12.92, ((texels + 0.055) / 1.055) ** 2.4)
    return np.where(light <= 0.0031308, 12.92 * light, 1.055 * light.clip(0) ** (1 / 2.4) - 0.055)


def _look_up(image: Any, uv: np.ndarray) -> np.ndarray:
    """Colours ``(n 3)`` in [0, 1] of a texture at coordinates ``(n 2)`` from its lower left, interpolated, repeated."""
    texels = np.asarray(image.convert("RGB"), np.float32) / 255
    height, width = texels.shape[:2]
    across, down = uv[:, 0] * width - 0.5, (1 - uv[:, 1]) * height - 0.5
    left, top = np.floor(across), np.floor(down)
    right_share, lower_share = (across - left)[:, None], (down - top)[:, None]
    columns = [((left + step) % width).astype(int) for step in (0, 1)]
    rows = [((top + step) % height).astype(int) for step in (0, 1)]
    upper, lower = (texels[row, columns[0]] * (1 - right_share) + texels[row, columns[1]] * right_share for row in rows)
    return upper * (1 - lower_share) + lower * lower_share

"""The surface of a density field as coloured triangles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from skimage.measure import marching_cubes
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.scenes.scene import Scene, Volume

#: Views, side in pixels, and samples per ray of the renders by which the level of a surface is chosen.
_VIEWS, _PIXELS, _SAMPLES = 4, 64, 48


class Mesh(NamedTuple):
    """Triangles, counter-clockwise seen from outside, in the world of ``methods.cameras``."""

    vertices: NDArray[np.float32]  # (n 3), world units
    faces: NDArray[np.int64]  # (m 3)
    rgb: NDArray[np.float32]  # (n 3), in [0, 1], as the renders show it


@torch.no_grad()
def extract_mesh(field: Volume, *, resolution: int, level: float) -> Mesh | None:
    """Extract the surface on which the density is ``level``, closed at the edge of the ball; None if there is none.

    Marching cubes (Lewiner et al. 2003) of scikit-image; each vertex has the field's colour at its position.

    Args:
        field: Density and colour.
        resolution: Points along an edge of the grid that the density is read on.
        level: Density per world unit.
    """
    axis = torch.linspace(-field.radius, field.radius, resolution)
    points = torch.cartesian_prod(axis, axis, axis)
    density = _within(field, points).view(resolution, resolution, resolution).cpu().numpy()
    if not np.isfinite(density).all() or not float(density.min()) < level < float(density.max()):
        return None
    step = 2 * field.radius / (resolution - 1)
    # an empty rim closes what touches the edge of the grid
    places, faces, _, _ = marching_cubes(np.pad(density, 1), level)
    vertices = (places.astype(np.float32) - 1) * step - field.radius
    rgb = field(torch.from_numpy(vertices).to(_device_of(field))).rgb.cpu().numpy()
    return Mesh(vertices, faces[:, ::-1].astype(np.int64), rgb)


@torch.no_grad()
def silhouette_level(scene: Scene, field: Volume) -> float | None:
    """Find the density whose surface best matches the silhouette of the scene's renders; None if these are empty.

    A density is light lost per length, so the density of a "surface" depends on how thick and how soft a scene is, and
    no single level suits all scenes.  The largest density of each ray is taken; the level is the one that separates the
    rays with an opacity over a half from the others with the best intersection over union.

    Args:
        scene: The scene, which is rendered.
        field: The scene's density.
    """
    ring = evaluation_ring(_VIEWS)
    device = _device_of(field)
    cameras = ring.to(device)
    background = torch.ones(_VIEWS, 3, device=device)
    seen = scene.render(cameras, resolution=_PIXELS, background=background).opacity.flatten() > 0.5
    rays = cameras.rays(_PIXELS)
    origins, directions = rays.origins.reshape(-1, 1, 3), rays.directions.reshape(-1, 1, 3)
    middle = float(ring.distance[0])
    along = torch.linspace(middle - field.radius, middle + field.radius, _SAMPLES, device=device)
    points = origins + along[:, None] * directions
    largest = _within(field, points.reshape(-1, 3)).view(len(seen), _SAMPLES).amax(dim=1)
    if not seen.any() or not largest.isfinite().all():
        return None
    values, order = largest.sort(descending=True)
    inside = seen[order].cumsum(0)
    union = torch.arange(1, len(seen) + 1, device=device) + seen.sum() - inside
    best = int((inside / union).argmax())
    return float(values[best : best + 2].mean())


def _within(field: Volume, points: Tensor) -> Tensor:
    """Density ``(n,)`` as renders see it, which have no samples outside of the ball."""
    points = points.to(_device_of(field))
    inside = (points.norm(dim=-1) < field.radius).nonzero()[:, 0]
    density = field.density(points.index_select(0, inside))
    return density.new_zeros(len(points)).index_copy(0, inside, density)


def _device_of(field: Volume) -> torch.device:
    parameter = next(field.parameters(), None) if isinstance(field, torch.nn.Module) else None
    return torch.device("cpu") if parameter is None else parameter.device

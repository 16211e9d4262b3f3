from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh
from silhouettes import silhouette
from torch import Tensor, nn

from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.mesh import Mesh, extract_mesh, silhouette_level
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.nerf import NeRF
from methods.scenes.scene import FieldSample


class Balls(nn.Module):
    """Balls of known place and size, red in front of x = 0 and blue behind it."""

    radius = 1.0
    encoding = SimpleNamespace(backend_on=lambda device: None)

    def __init__(self, balls: list[tuple[float, float, float, float]], *, inside: float, softness: float) -> None:
        super().__init__()
        self.balls, self.inside, self.softness = torch.tensor(balls), inside, softness

    def density(self, points: Tensor) -> Tensor:
        depth = self.balls[:, 3] - torch.cdist(points, self.balls[:, :3])
        return self.inside * (depth.amax(dim=1) / self.softness).sigmoid()

    def density_logit(self, points: Tensor) -> Tensor:
        return self.density(points)

    def forward(self, points: Tensor) -> FieldSample:
        front = (points[:, 0] > 0).float()
        return FieldSample(self.density(points), torch.stack([front, torch.zeros_like(front), 1 - front], dim=1))


#: Nothing about it is the same from two sides.
ODD = [(0.45, 0.1, -0.2, 0.3), (-0.2, -0.4, 0.4, 0.25), (-0.3, 0.4, -0.1, 0.2)]


def _scene(field: Balls) -> NeRF:
    scene = NeRF(marching=OccupancyMarching(168)).build(GaussianPrior(), torch.Generator().manual_seed(0))
    scene.field = field
    for seed in range(3):
        scene.occupancy.update(field.density, torch.Generator().manual_seed(seed))
    return scene


def _shape(mesh: Mesh) -> trimesh.Trimesh:
    return trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)


@pytest.mark.parametrize("radius", [0.3, 0.7])
def test_a_ball_has_its_size_and_a_closed_surface_that_looks_out(radius: float) -> None:
    field = Balls([(0.1, -0.1, 0.2, radius)], inside=50.0, softness=0.03)
    mesh = extract_mesh(field, resolution=64, level=25.0)
    distance = np.linalg.norm(mesh.vertices - [0.1, -0.1, 0.2], axis=1)
    assert np.abs(distance - radius).max() < 0.002  # a fifteenth of the grid's step
    shape = _shape(mesh)
    assert shape.is_watertight
    assert shape.volume == pytest.approx(4 / 3 * math.pi * radius**3, rel=0.01)  # positive: the faces look out
    assert shape.euler_number == 2
    outward = (shape.face_normals * (shape.triangles_center - [0.1, -0.1, 0.2])).sum(axis=1)
    assert (outward > 0).all()


def test_what_touches_the_edge_is_closed_there() -> None:
    mesh = extract_mesh(Balls([(0.0, 0.0, 0.0, 5.0)], inside=50.0, softness=0.03), resolution=32, level=25.0)
    shape = _shape(mesh)
    assert shape.is_watertight
    assert np.linalg.norm(mesh.vertices, axis=1).max() < 1.0 + 2 / 31
    assert shape.volume == pytest.approx(4 / 3 * math.pi, rel=0.05)


# fog has no surface: it is dark wherever it is thick, at any density
@pytest.mark.parametrize(("inside", "softness", "least"), [(60.0, 0.02, 0.95), (8.0, 0.08, 0.9)])
def test_the_mesh_has_the_silhouette_of_the_renders(inside: float, softness: float, least: float) -> None:
    field = Balls(ODD, inside=inside, softness=softness)
    scene = _scene(field)
    level = silhouette_level(scene, field)
    assert 0 < level < inside
    mesh = extract_mesh(field, resolution=64, level=level)
    cameras = evaluation_ring(7, elevation_deg=25.0)  # other views than the level is chosen by
    with torch.no_grad():
        seen = scene.render(cameras, resolution=64, background=torch.ones(7, 3)).opacity[:, 0].numpy() > 0.5
    for index in range(7):
        drawn = silhouette(mesh.vertices, mesh.faces, cameras, index, 64)
        assert (drawn & seen[index]).sum() / (drawn | seen[index]).sum() > least
        assert (drawn[:, ::-1] & seen[index]).sum() / (drawn[:, ::-1] | seen[index]).sum() < 0.8, "a mirror image fits"


def test_vertices_have_the_colour_of_their_place() -> None:
    mesh = extract_mesh(Balls(ODD, inside=50.0, softness=0.03), resolution=48, level=25.0)
    front = mesh.vertices[:, 0] > 0
    assert (mesh.rgb[front] == [1, 0, 0]).all()
    assert (mesh.rgb[~front] == [0, 0, 1]).all()
    assert 0 < front.sum() < len(front)


def test_an_empty_field_has_no_surface() -> None:
    empty = Balls([(0.0, 0.0, 0.0, -9.0)], inside=50.0, softness=0.03)
    assert silhouette_level(_scene(empty), empty) is None
    assert extract_mesh(empty, resolution=16, level=1.0) is None
    broken = Balls([(0.0, 0.0, 0.0, 0.5)], inside=math.nan, softness=0.03)
    assert extract_mesh(broken, resolution=16, level=1.0) is None
    assert silhouette_level(_scene(broken), broken) is None

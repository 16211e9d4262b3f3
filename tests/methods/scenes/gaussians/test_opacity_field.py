from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
import trimesh
from scipy.stats import multivariate_normal
from silhouettes import silhouette

from bench.forecast.operations import count_operations
from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians import opacity_field
from methods.scenes.gaussians.gaussians import Gaussians, GaussianScene
from methods.scenes.mesh import extract_mesh, silhouette_level


def build(**settings: Any) -> GaussianScene:
    return Gaussians(**settings).build(GaussianPrior(), torch.Generator().manual_seed(0))


def random_scene(count: int = 40) -> GaussianScene:
    """Gaussians of all shapes, directions, opacities and colours."""
    scene, draws = build(count=count), torch.Generator().manual_seed(1)
    with torch.no_grad():
        scene.log_scales.add_(0.7 * torch.randn(count, 3, generator=draws))
        scene.opacity_logits.copy_(2 * torch.randn(count, generator=draws))
        scene.harmonics.add_(torch.randn(count, 1, 3, generator=draws))
    return scene


def reference(scene: GaussianScene, points: torch.Tensor) -> tuple[np.ndarray, np.ndarray]:
    """Density and colour by scipy's normal distribution, one Gaussian after the other."""
    from scipy.spatial.transform import Rotation

    density, colour = np.zeros(len(points)), np.zeros((len(points), 3))
    parameters = (scene.means, scene.log_scales, scene.rotations, scene.opacity_logits, scene.harmonics[:, 0])
    for mean, log_scale, turn, logit, harmonic in zip(*(p.detach().double().numpy() for p in parameters), strict=True):
        axes = Rotation.from_quat(turn, scalar_first=True).as_matrix() * np.exp(log_scale)
        normal = multivariate_normal(mean, axes @ axes.T)
        share = np.exp(normal.logpdf(points) - normal.logpdf(mean))
        share = np.where(share >= np.exp(-4.5), share, 0) / (1 + np.exp(-logit))
        density += share
        colour += share[:, None] * (0.5 + 0.28209479177387814 * harmonic).clip(0, 1)
    return density, colour / density[:, None].clip(1e-12)


@pytest.mark.parametrize("pairs", [2**21, 50])
def test_is_the_sum_of_the_opacities(pairs: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(opacity_field, "_PAIRS_AT_ONCE", pairs)
    scene = random_scene()
    points = torch.randn(700, 3, generator=torch.Generator().manual_seed(2)) / 3
    density, colour = reference(scene, points)
    field = scene.volume()
    assert field.density(points).numpy() == pytest.approx(density, abs=1e-5)
    found = field(points)
    assert found.density.numpy() == pytest.approx(density, abs=1e-5)
    assert found.rgb.numpy() == pytest.approx(colour, abs=1e-4)
    assert (density > 0).mean() > 0.2
    assert not field.density(points).requires_grad


def test_a_ball_of_gaussians_is_a_ball() -> None:
    scene = build(count=3000, opacity=0.5)
    field = scene.volume()
    mesh = extract_mesh(field, resolution=64, level=silhouette_level(scene, field))
    shape = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    assert shape.is_watertight
    assert shape.volume > 0
    outer = max(shape.split(), key=lambda part: part.volume)
    distance = np.linalg.norm(outer.vertices, axis=1)
    assert distance.mean() == pytest.approx(0.5, abs=0.06)
    assert distance.std() < 0.03


def test_the_silhouette_and_the_colours_fit_the_renders() -> None:
    """Two balls of unlike size and colour, from views that did not choose the level."""
    scene = build(count=2000, opacity=0.6, size=0.03)
    with torch.no_grad():
        small = torch.arange(2000) % 4 == 0
        scene.means.copy_(
            torch.where(small[:, None], 0.4 * scene.means + torch.tensor([0.1, 0.5, 0.3]), 0.6 * scene.means)
        )
        scene.harmonics.copy_(torch.where(small[:, None], 1.0, -1.0)[:, None] * torch.tensor([1.7, 0, -1.7]))
    field = scene.volume()
    mesh = extract_mesh(field, resolution=64, level=silhouette_level(scene, field))
    cameras = evaluation_ring(5, elevation_deg=25.0)
    with torch.no_grad():
        seen = scene.render(cameras, resolution=64, background=torch.ones(5, 3)).opacity[:, 0].numpy() > 0.5
    for index in range(5):
        drawn = silhouette(mesh.vertices, mesh.faces, cameras, index, 64)
        assert (drawn & seen[index]).sum() / (drawn | seen[index]).sum() > 0.9
    red = mesh.vertices[:, 2] > 0.35
    assert mesh.rgb[red].mean(axis=0) == pytest.approx([0.98, 0.5, 0.02], abs=0.03)
    blue = mesh.vertices[:, 2] < 0.0
    assert mesh.rgb[blue].mean(axis=0) == pytest.approx([0.02, 0.5, 0.98], abs=0.03)


def test_one_gaussian_that_has_flown_away_does_not_make_the_ball_large() -> None:
    scene = build(count=1000)
    radius = scene.volume().radius
    assert 0.5 < radius < 0.65
    with torch.no_grad():
        scene.means[0] = torch.tensor([50.0, 0, 0])
    assert scene.volume().radius < 0.7
    with torch.no_grad():
        scene.means.mul_(50)
    assert scene.volume().radius == 2.0


@pytest.mark.parametrize("name", ["means", "log_scales", "rotations", "opacity_logits"])
def test_a_scene_that_is_not_finite_has_no_surface(name: str) -> None:
    scene = build(count=30)
    with torch.no_grad():
        getattr(scene, name)[3] = torch.nan
    field = scene.volume()
    assert extract_mesh(field, resolution=16, level=0.1) is None
    assert silhouette_level(scene, field) is None


def test_a_scene_without_gaussians_or_opacity_is_empty() -> None:
    scene = build(count=30)
    with torch.no_grad():
        scene.opacity_logits.fill_(-torch.inf)
    assert silhouette_level(scene, scene.volume()) is None
    assert float(scene.volume().density(torch.zeros(3, 3)).max()) == 0
    empty = {name: value[:0] for name, value in scene.state_dict().items()}
    scene.resize(empty)
    assert scene.volume().density(torch.zeros(3, 3)).tolist() == [0, 0, 0]
    assert scene.volume()(torch.zeros(3, 3)).rgb.tolist() == [[0, 0, 0]] * 3


def test_many_gaussians_need_little_memory() -> None:
    """20 000 Gaussians at 30 000 points in their midst are 6e8 pairs: 7 GB for their offsets alone."""
    scene = build(count=20_000, size=0.01)
    points = torch.rand(30_000, 3, generator=torch.Generator().manual_seed(0)) / 5
    with count_operations() as counted:
        assert float(scene.volume().density(points).mean()) > 0
    assert 1e6 < counted.peak_bytes < 2e8

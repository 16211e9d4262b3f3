"""The NeRF of the paper's configuration, scaled down to a CPU: its parts work together and with the loop."""

from __future__ import annotations

import importlib.util
from dataclasses import replace
from typing import Any

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.nerf.backgrounds.environment_map import EnvironmentMap
from methods.scenes.nerf.backgrounds.given import GivenBackground
from methods.scenes.nerf.encodings.dense_grid import DenseGrid
from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.scenes.nerf.encodings.progressive_bands import ProgressiveBands
from methods.scenes.nerf.marching import quadrature
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.materials.albedo import Albedo
from methods.scenes.nerf.materials.point_light import PointLight
from methods.scenes.nerf.nerf import NeRF, NeRFScene
from methods.scenes.nerf.normals import NormalSettings
from methods.scenes.nerf.penalties import PenaltyWeights
from methods.settings import MissingPackageError

GRID = HashGrid(levels=4, log2_table_size=10, base_resolution=4, finest_resolution=32)
PAPER = NeRF(
    encoding=ProgressiveBands(GRID, levels=4, start_level=2),
    material=PointLight(lit_share=1.0, textureless_share=0.5),
    background=EnvironmentMap(),
    networks="separate",
    normals=NormalSettings("analytic", weight=0.0),
    radius=2.0,
    marching=OccupancyMarching(56),
    penalties=PenaltyWeights(
        orient=0.1,
        sparsity=(0.0, 0.15, 0.0, 0.3),
        opaque=0.1,
        z_variance=1.0,
        convex=(0.0, 1.0, 0.1, 0.4),
    ),
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(**settings: Any) -> NeRFScene:
    return replace(PAPER, **settings).build(GaussianPrior(), generator())


def look(nerf: NeRFScene, *, rays: torch.Generator | None = None, views: int = 2, resolution: int = 12) -> Any:
    """A render of the optimisation if there is a generator, else one of the evaluation."""
    ring, grey = evaluation_ring(views, distance=1.75, fovy_deg=55.0), torch.full((views, 3), 0.5)
    return nerf.render(ring, resolution=resolution, background=grey, generator=rays, training=rays is not None)


def test_a_lit_step_reaches_everything_that_is_learned() -> None:
    nerf = build()
    nerf.before_step(0.25)
    rendering = look(nerf, rays=generator(2))
    penalties = nerf.regularisation(rendering, 0.25)
    assert set(penalties) == {"orient", "sparsity", "opaque", "z_variance", "convex"}
    (rendering.rgb.square().mean() + sum(penalties.values())).backward()
    for name, parameter in nerf.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("name", ["orient", "convex", "z_variance"])
def test_each_penalty_alone_moves_the_field(name: str) -> None:
    nerf = build(material=Albedo())
    penalty = nerf.regularisation(look(nerf, rays=generator(1)), 0.2)[name]
    penalty.backward()
    assert penalty.isfinite()
    assert nerf.field.network.of_density[0].weight.grad.abs().max() > 0


def test_the_schedules_are_those_of_sdi_yaml_in_progress() -> None:
    nerf = build(material=Albedo())
    rendering = look(nerf, rays=generator(1))
    at = {progress: nerf.regularisation(rendering, progress) for progress in (0.0, 0.2, 0.4, 1.0)}
    convex = torch.stack([penalties["convex"] for penalties in at.values()])
    torch.testing.assert_close(convex / convex[0], torch.tensor([1.0, 0.55, 0.1, 0.1]))
    torch.testing.assert_close(at[0.2]["sparsity"] / at[0.0]["sparsity"], torch.tensor(1 / 3))
    assert "sparsity" not in at[0.4]


def test_the_variance_of_depth_ray_by_ray() -> None:
    nerf = build()
    rendering = look(nerf, rays=generator(1), views=1, resolution=5)
    origins, directions = (part.flatten(0, 2) for part in evaluation_ring(1, distance=1.75, fovy_deg=55.0).rays(5))
    samples = nerf.marcher.march(
        origins, directions, nerf.occupancy, nerf.field.density, torch.rand(25, generator=generator(1))
    )
    weight = quadrature.weights(nerf.field.density(samples.points), samples).detach()
    found, opacity = rendering.penalties["z_variance"].flatten(), rendering.opacity.flatten()
    solid = (opacity > 0.5).nonzero()[:, 0].tolist()
    assert len(solid) >= 3
    for ray in solid:
        share, distance = weight[samples.ray == ray].double(), samples.distances[samples.ray == ray].double()
        mean = (share * distance).sum() / share.sum()
        expected = (share * (distance - mean) ** 2).sum() / share.sum()
        assert found[ray].item() == pytest.approx(expected.item(), rel=1e-3)


def test_white_views_are_grey_in_training_and_coloured_at_evaluation() -> None:
    colourful = ProgressiveBands(replace(GRID, initial_bound=1.0), levels=4, start_level=4)
    settings: dict[str, Any] = {"background": GivenBackground(), "encoding": colourful}
    nerf = build(**settings, material=PointLight(lit_share=1.0, textureless_share=1.0))
    nerf.before_step(0.5)
    with torch.no_grad():
        lit, plain = look(nerf, rays=generator(1)), look(nerf)
        albedo = look(build(**settings, material=Albedo()))
    assert (lit.rgb - lit.rgb.mean(dim=1, keepdim=True)).abs().max() < 1e-5
    assert (plain.rgb - plain.rgb.mean(dim=1, keepdim=True)).abs().max() > 1e-3
    assert torch.equal(plain.rgb, albedo.rgb)


def test_progress_reaches_encoding_and_material() -> None:
    nerf = build()
    shown = []
    for progress in (0.0, 0.2, 0.25, 1.0):
        nerf.before_step(progress)
        shown.append((int(nerf.field.encoding.mask.sum()), nerf.material.progress))
    assert shown == [(4, 0.0), (4, 0.2), (6, 0.25), (8, 1.0)]


def test_the_background_has_its_own_step_size() -> None:
    nerf = build(background=EnvironmentMap(learning_rate=0.005))
    groups = {group["name"]: group for group in nerf.parameter_groups()}
    assert groups["background"]["lr"] == 0.005
    assert [tuple(parameter.shape) for parameter in groups["background"]["params"]] == [(16, 9), (16, 16), (3, 16)]
    assert [group["name"] for group in build(background=GivenBackground()).parameter_groups()] == [
        "encoding",
        "network",
    ]


@torch.no_grad()
def test_the_background_shows_where_nothing_is() -> None:
    nerf = build()
    nerf.occupancy.occupied.zero_()
    rays = evaluation_ring(2, distance=1.75, fovy_deg=55.0).rays(12)
    behind = nerf.background(rays.directions, torch.zeros(2, 3), None, training=False)
    assert torch.equal(look(nerf).rgb, behind)


@torch.no_grad()
def test_analytic_and_measured_normals_of_a_scene_agree() -> None:
    images = []
    for normals in (NormalSettings("analytic", weight=0.0), NormalSettings("differences", step=1e-3, weight=0.0)):
        nerf = build(normals=normals)
        ring = evaluation_ring(2, distance=1.75, fovy_deg=55.0)
        images.append(nerf.render(ring, resolution=12, background=torch.ones(2, 3), outputs=("normals",)).normals)
    assert images[0].abs().max() > 0.5
    assert (images[0] - images[1]).abs().max() < 0.02


def test_without_a_second_derivative_the_message_names_what_works() -> None:
    with pytest.raises(ValueError, match=r"normals.kind: 'analytic' is not possible with this encoding") as caught:
        build(encoding=DenseGrid())
    assert "work with 'hash_grid', normals.kind = 'differences' with every encoding" in str(caught.value)
    build(encoding=HashGrid(levels=2))
    build(encoding=DenseGrid(), normals=NormalSettings("differences"))


def test_analytic_normals_need_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    """A study with a missing package is shown the backend that it can be built with."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    fused = replace(GRID, layout="tiny_cuda_nn", backend="tinycudann")
    with pytest.raises(
        MissingPackageError, match=r"^encoding.backend: 'tinycudann' needs the .* 'auto' takes the best"
    ):
        build(encoding=ProgressiveBands(fused, levels=4, start_level=2))
    build(encoding=ProgressiveBands(replace(fused, backend="auto"), levels=4, start_level=2))


def test_bad_shares_and_schedules_are_named() -> None:
    with pytest.raises(ValueError, match=r"weight: 1\.0 is not a share"):
        NormalSettings(weight=1.0)
    with pytest.raises(ValueError, match=r"convex: .* is not a weight, or"):
        PenaltyWeights(convex=(0.5, 1, 1, 0.2))

"""The NeRF of the paper's configuration, scaled down to a CPU: its parts work together and with the loop."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.scenes.nerf.marching import quadrature
from methods.scenes.nerf.nerf import NeRF

GRID = {"levels": 4, "log2_table_size": 10, "base_resolution": 4, "finest_resolution": 32}
PAPER: dict[str, Any] = {
    "encoding": "progressive_bands",
    "encoding_settings": {"settings": GRID, "levels": 4, "start_level": 2},
    "material": "point_light",
    "material_settings": {"lit_share": 1.0, "textureless_share": 0.5},
    "background": "environment_map",
    "networks": "separate",
    "normals": "analytic",
    "normal_weight": 0.0,
    "radius": 2.0,
    "samples": 32,
    "lambda_orient": 0.1,
    "lambda_sparsity": (0.0, 0.15, 0.0, 0.3),
    "lambda_opaque": 0.1,
    "lambda_z_variance": 1.0,
    "lambda_convex": (0.0, 1.0, 0.1, 0.4),
}


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def build(**settings: Any) -> NeRF:
    return NeRF(**{**PAPER, **settings}, init=generator())


def look(nerf: NeRF, *, rays: torch.Generator | None = None, views: int = 2, resolution: int = 12) -> Any:
    ring = evaluation_ring(views, distance=1.75, fovy_deg=55.0)
    return nerf.render(ring, resolution=resolution, background=torch.full((views, 3), 0.5), rays=rays)


def test_a_lit_step_reaches_everything_that_is_learned() -> None:
    nerf = build()
    nerf.before_step(0.25)
    rendering = look(nerf, rays=generator(1))
    penalties = nerf.regularisation(rendering, 0.25)
    assert set(penalties) == {"orient", "sparsity", "opaque", "z_variance", "convex"}
    (rendering.rgb.square().mean() + sum(penalties.values())).backward()
    for name, parameter in nerf.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("name", ["orient", "convex", "z_variance"])
def test_each_penalty_alone_moves_the_field(name: str) -> None:
    nerf = build(material="albedo", material_settings={})
    penalty = nerf.regularisation(look(nerf, rays=generator(1)), 0.2)[name]
    penalty.backward()
    assert penalty.isfinite()
    assert nerf.field.network.of_density[0].weight.grad.abs().max() > 0


def test_the_schedules_are_those_of_sdi_yaml_in_progress() -> None:
    nerf = build(material="albedo", material_settings={})
    rendering = look(nerf, rays=generator(1))
    at = {progress: nerf.regularisation(rendering, progress) for progress in (0.0, 0.2, 0.4, 1.0)}
    convex = torch.stack([penalties["convex"] for penalties in at.values()])
    torch.testing.assert_close(convex / convex[0], torch.tensor([1.0, 0.55, 0.1, 0.1]))
    torch.testing.assert_close(at[0.2]["sparsity"] / at[0.0]["sparsity"], torch.tensor(1 / 3))
    assert "sparsity" not in at[0.4]


def test_the_variance_of_depth_ray_by_ray() -> None:
    nerf = build(lambda_z_variance=1.0)
    rendering = look(nerf, rays=generator(1), views=1, resolution=5)
    origins, directions = (part.flatten(0, 2) for part in evaluation_ring(1, distance=1.75, fovy_deg=55.0).rays(5))
    samples = nerf.marching.march(origins, directions, nerf.occupancy, nerf.field.density, generator(1))
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
    colourful = {"settings": {**GRID, "initial_bound": 1.0}, "levels": 4, "start_level": 4}
    settings: dict[str, Any] = {"background": "given", "encoding_settings": colourful}
    nerf = build(**settings, material_settings={"lit_share": 1.0, "textureless_share": 1.0})
    nerf.before_step(0.5)
    with torch.no_grad():
        lit, plain = look(nerf, rays=generator(1)), look(nerf)
        albedo = look(build(**settings, material="albedo", material_settings={}))
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
    groups = {group["name"]: group for group in build(background_settings={"learning_rate": 0.005}).parameter_groups()}
    assert groups["background"]["lr"] == 0.005
    assert [tuple(parameter.shape) for parameter in groups["background"]["params"]] == [(16, 9), (16, 16), (3, 16)]
    assert [group["name"] for group in build(background="given").parameter_groups()] == ["encoding", "network"]


@torch.no_grad()
def test_the_background_shows_where_nothing_is() -> None:
    nerf = build()
    nerf.occupancy.occupied.zero_()
    rays = evaluation_ring(2, distance=1.75, fovy_deg=55.0).rays(12)
    behind = nerf.background(rays.directions, torch.zeros(2, 3), training=False)
    assert torch.equal(look(nerf).rgb, behind)


@torch.no_grad()
def test_analytic_and_measured_normals_of_a_scene_agree() -> None:
    pictures = []
    for settings in ({"normals": "analytic"}, {"normals": "differences", "normal_step": 1e-3}):
        nerf = build(**settings)
        ring = evaluation_ring(2, distance=1.75, fovy_deg=55.0)
        pictures.append(nerf.render(ring, resolution=12, background=torch.ones(2, 3), with_normals=True).normals)
    assert pictures[0].abs().max() > 0.5
    assert (pictures[0] - pictures[1]).abs().max() < 0.02


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"encoding": "dense_grid", "encoding_settings": {}}, "normals: 'analytic' is not for 'dense_grid' as it is"),
        (
            {"encoding": "hash_grid", "encoding_settings": {"compiled": True}},
            "normals: 'analytic' is not for 'hash_grid' as it is set, which has no second derivative",
        ),
        ({"material": "point_ligth"}, "unknown material 'point_ligth': did you mean point_light"),
        ({"material_settings": {"gloss": 1}}, "material_settings: .*'gloss': 1.* is not for 'point_light'"),
        ({"background": "environment"}, "unknown background 'environment': did you mean environment_map"),
        ({"normal_weight": 1.0}, "normal_weight: 1.0 is not a share"),
        ({"lambda_convex": (0.5, 1, 1, 0.2)}, "lambda_convex: .* is not"),
    ],
)
def test_refuses_what_does_not_go_together(settings: dict[str, Any], message: str) -> None:
    with pytest.raises((ValueError, LookupError), match=message):
        build(**settings)

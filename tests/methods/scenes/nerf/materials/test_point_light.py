"""The point light: the frequencies of its draws, and Lambert's law."""

from __future__ import annotations

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.scenes.nerf.materials.material import Lighting
from methods.scenes.nerf.materials.point_light import PointLight, PointLightModule


def material(**settings: object) -> PointLightModule:
    built = PointLight(**settings).build(torch.Generator())
    built.before_step(0.5)
    return built


def test_a_surface_follows_lambert_s_law() -> None:
    """The light stands above three surfaces: one that faces it, one at 60°, one that looks away."""
    lighting = Lighting(torch.tensor([[0.0, 0, 2]]), torch.tensor([True]), torch.tensor([True]))
    normals = torch.tensor([[0.0, 0, 1], [0, 3**0.5 / 2, 0.5], [0, 0, -1]])
    rgb = torch.tensor([[1.0, 0.5, 0.0]]).expand(3, 3)
    found = material().shade(rgb, normals, torch.zeros(3, 3), torch.zeros(3, dtype=torch.long), lighting)
    torch.testing.assert_close(found, rgb * torch.tensor([[1.0], [0.55], [0.1]]))


def test_each_view_of_a_batch_has_its_own_light_and_kind() -> None:
    """Albedo, white and shaded albedo in one batch, each sample by its own view's light."""
    lighting = Lighting(
        positions=torch.tensor([[5.0, 0, 0], [0, 5, 0], [0, 0, 5]]),
        lit=torch.tensor([False, True, True]),
        textured=torch.tensor([True, False, True]),
    )
    rgb, normals = torch.full((3, 3), 0.5), torch.eye(3)
    found = material().shade(rgb, normals, torch.zeros(3, 3), torch.tensor([0, 1, 2]), lighting)
    torch.testing.assert_close(found, torch.tensor([[0.5], [1.0], [0.5]]).expand(3, 3))
    swapped = material().shade(rgb, normals, torch.zeros(3, 3), torch.tensor([0, 2, 1]), lighting)
    torch.testing.assert_close(swapped, torch.tensor([[0.5], [0.05], [0.1]]).expand(3, 3))


def test_a_normal_that_was_not_measured_leaves_ambient_light() -> None:
    lighting = Lighting(torch.ones(1, 3), torch.tensor([True]), torch.tensor([True]))
    view = torch.zeros(1, dtype=torch.long)
    found = material().shade(torch.ones(1, 3), torch.zeros(1, 3), torch.zeros(1, 3), view, lighting)
    torch.testing.assert_close(found, torch.full((1, 3), 0.1))


def test_the_shares_are_those_of_sdi_yaml() -> None:
    """70 % albedo, 22.5 % white, 7.5 % shaded; lights near the camera's direction, at 0.8 to 1.5."""
    cameras, rays = evaluation_ring(360), torch.Generator().manual_seed(0)
    lit, textured, positions = [], [], []
    for _ in range(30):
        lighting = material().light(cameras, rays, training=True)
        assert lighting is not None
        lit.append(lighting.lit)
        textured.append(lighting.textured)
        positions.append(lighting.positions)
    lit, textured = torch.cat(lit), torch.cat(textured)
    assert lit.float().mean() == pytest.approx(0.3, abs=0.015)  # 10 800 draws: 3.4 standard deviations
    assert (lit & ~textured).float().mean() == pytest.approx(0.225, abs=0.015)
    assert (lit & textured).float().mean() == pytest.approx(0.075, abs=0.01)
    distance = torch.cat(positions).norm(dim=-1)
    assert 0.8 <= distance.min() < 0.81
    assert 1.49 < distance.max() <= 1.5 + 1e-5
    ahead = torch.nn.functional.normalize(cameras.positions, dim=-1)
    cosine = (torch.cat(positions) / distance[:, None] * ahead.repeat(30, 1)).sum(-1)
    assert cosine.mean() > 0.8
    assert cosine.min() < 0.5


def test_there_is_no_light_before_its_time_nor_at_evaluation() -> None:
    cameras = evaluation_ring(50)
    early = PointLight(lit_share=1.0).build(torch.Generator())
    early.before_step(0.0999)
    assert early.light(cameras, torch.Generator().manual_seed(0), training=True) is None
    early.before_step(0.1)
    assert early.light(cameras, torch.Generator().manual_seed(0), training=True) is not None
    assert early.light(cameras, torch.Generator(), training=False) is None


def test_every_render_draws_the_same_count_of_numbers() -> None:
    states = []
    for settings in ({}, {"lit_share": 0.0}, {"albedo_until": 1.0}, {"textureless_share": 0.0, "jitter": 0.0}):
        rays = torch.Generator().manual_seed(0)
        material(**settings).light(evaluation_ring(2), rays, training=True)
        states.append(rays.get_state())
    assert all(torch.equal(state, states[0]) for state in states)


@pytest.mark.parametrize(
    ("field", "value"),
    [("lit_share", 1.5), ("albedo_until", -0.1), ("ambient", -1.0), ("distance", (1.5, 0.8)), ("distance", (0.0, 1.0))],
)
def test_refuses_bad_settings(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=f"{field}: .* is not"):
        material(**{field: value})

"""The renderer's ground truth against geometry known in closed form, and the world's promises."""

from __future__ import annotations

import pytest
import torch

from methods.cameras import evaluation_ring
from prompts.toybox import KINDS, ToyObject, render_object, trace
from prompts.toybox.distances import sphere
from prompts.toybox.renderer import BOUNDING_RADIUS, distance


@pytest.fixture(scope="module")
def ring():
    return evaluation_ring(4).rays(48)


def test_a_ray_meets_a_sphere_where_it_should(monkeypatch) -> None:
    ball = ((lambda points: sphere(points, (0.0, 0.0, 0.0), 0.5), "paint"),)
    monkeypatch.setitem(KINDS, "ball", ball)
    origins = torch.tensor([[[3.0, 0.0, 0.0], [3.0, 0.3, 0.0], [3.0, 0.6, 0.0]]])
    directions = torch.tensor([-1.0, 0.0, 0.0]).expand_as(origins)
    surface = trace("ball", origins, directions)
    assert surface.hit.tolist() == [[True, True, False]]
    torch.testing.assert_close(surface.depth[0, :2], torch.tensor([2.5, 3 - 0.4]), atol=5e-3, rtol=0)
    torch.testing.assert_close(surface.normal[0, 1], torch.tensor([0.8, 0.6, 0.0]), atol=2e-2, rtol=0)


@pytest.mark.parametrize("kind", KINDS)
def test_objects_are_inside_their_ball_and_their_front_is_not_their_back(kind, ring) -> None:
    generator = torch.Generator().manual_seed(0)
    shell = torch.nn.functional.normalize(torch.randn(4000, 3, generator=generator), dim=-1) * BOUNDING_RADIUS
    assert float(distance(kind, shell)[0].min()) > 0
    toy = ToyObject(kind, "red", "plain")
    front, back = (render_object(toy, ring.origins[i], ring.directions[i]) for i in (0, 2))
    mirrored = back.over(1.0).flip(-1)
    assert float((front.over(1.0) - mirrored).abs().mean()) > 0.01


def test_image_parts_agree(ring) -> None:
    toy = ToyObject("car", "blue", "striped")
    out = render_object(toy, ring.origins[1], ring.directions[1])
    assert out.rgb.shape == (3, 24, 24)
    assert bool(((out.rgb >= 0) & (out.rgb <= out.opacity + 1e-6)).all())
    assert torch.equal(out.depth > 0, out.opacity > 0)
    assert torch.equal(out.over(0.0), out.rgb)
    solid = out.opacity[0] == 1
    assert float(out.normals.norm(dim=0)[solid].max()) <= 1 + 1e-5


def test_pattern_and_colour_change_paint_only(ring) -> None:
    images = {
        pattern: render_object(ToyObject("duck", "green", pattern), ring.origins[1], ring.directions[1])
        for pattern in ("plain", "striped", "dotted", "checked")
    }
    plain = images.pop("plain")
    for other in images.values():
        assert torch.equal(other.opacity, plain.opacity)
        assert float((other.rgb - plain.rgb).abs().mean()) > 0.005

"""Normals from the depth of surfaces whose normals are known."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from methods.cameras import Cameras, Rays, evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import Gaussians
from methods.scenes.gaussians.normals import depth_normals

SIDE = 48


def cast(rays: Rays, radius: float) -> tuple[Tensor, Tensor]:
    """Distance to a ball around the origin, 0 where it is missed, and whether it is hit, ``(b 1 h w)``."""
    along = (rays.origins * rays.directions).sum(-1)
    inside = along**2 - (rays.origins**2).sum(-1) + radius**2
    hit = inside > 0
    return torch.where(hit, -along - inside.clamp(min=0).sqrt(), 0.0)[:, None], hit.to(along)[:, None]


def double(cameras: Cameras) -> Cameras:
    return Cameras(**{name: value.double() for name, value in vars(cameras).items()})


def test_a_plane_has_its_normal_at_every_pixel_up_to_the_edge() -> None:
    cameras = double(evaluation_ring(2, elevation_deg=30.0))
    rays = cameras.rays(SIDE)
    normal = torch.nn.functional.normalize(torch.tensor([[1.0, 0.3, 0.5], [-1.0, 0.2, 0.4]]).double(), dim=-1)
    tilted = normal[:, None, None]
    depth = -((rays.origins * tilted).sum(-1) / (rays.directions * tilted).sum(-1))[:, None]
    found = depth_normals(rays, depth, 0.6 * torch.ones_like(depth))
    torch.testing.assert_close(found, 0.6 * normal[:, :, None, None].expand_as(found), rtol=0, atol=1e-9)


def test_a_ball_has_its_radius_as_normal_also_at_its_outline() -> None:
    cameras = double(evaluation_ring(3))
    rays = cameras.rays(SIDE)
    depth, hit = cast(rays, 0.7)
    found = depth_normals(rays, depth, hit)
    points = (rays.origins + depth[:, 0, :, :, None] * rays.directions).permute(0, 3, 1, 2)
    cosine = (found * points / 0.7).sum(1)
    solid = hit[:, 0] > 0
    assert float(cosine[solid].mean()) > 0.99
    assert float(cosine[solid].min()) > 0.7  # no normal across the outline
    assert float(found.permute(0, 2, 3, 1)[~solid].abs().max()) == 0
    towards = (found * rays.directions.permute(0, 3, 1, 2)).sum(1)
    assert float(towards[solid].max()) < 0


def test_a_pixel_without_neighbours_has_none_and_gradients_are_numbers() -> None:
    rays = double(evaluation_ring(1)).rays(5)
    opacity = torch.zeros(1, 1, 5, 5, dtype=torch.float64)
    opacity[0, 0, 2, 2] = opacity[0, 0, 0, :3] = 1.0
    depth = (2.5 * opacity).requires_grad_()
    found = depth_normals(rays, depth, opacity)
    assert float(found.detach().abs().max()) == 0
    assert bool(torch.autograd.grad(found.sum(), depth)[0].isfinite().all())
    solid = (2.5 + 0.1 * torch.arange(25.0).double().view(1, 1, 5, 5)).requires_grad_()
    found = depth_normals(rays, solid, torch.ones_like(opacity))
    assert float(torch.autograd.grad(found.square()[:, 0].sum(), solid)[0].abs().max()) > 0.01


def test_a_wall_of_gaussians_has_the_same_normals_from_both() -> None:
    shown = []
    for kind in ("axis", "depth"):
        scene = Gaussians(count=900, normals=kind).build(GaussianPrior(), torch.Generator().manual_seed(0))
        with torch.no_grad():
            across, up = torch.meshgrid(torch.linspace(-1.5, 1.5, 30), torch.linspace(-1.5, 1.5, 30), indexing="ij")
            scene.means.copy_(torch.stack([0.4 * across.flatten(), across.flatten(), up.flatten()], dim=-1))
            scene.log_scales.copy_(torch.tensor([1e-3, 0.1, 0.1]).log().expand(900, 3))
            turn = math.atan2(-0.4, 1.0) / 2  # of the x axis to the wall's normal, around z
            scene.rotations.copy_(torch.tensor([math.cos(turn), 0, 0, math.sin(turn)]).expand(900, 4))
            scene.opacity_logits.fill_(9.0)
            cameras = evaluation_ring(1, elevation_deg=0.0)
            shown.append(
                scene.render(cameras, resolution=24, background=torch.ones(1, 3), outputs=("normals",)).normals
            )
    expected = torch.tensor([1.0, -0.4, 0.0]) / math.hypot(1.0, 0.4)
    for kind in shown:
        inner = kind[0, :, 4:-4, 4:-4]
        assert float((torch.nn.functional.normalize(inner, dim=0) * expected[:, None, None]).sum(0).min()) > 0.97

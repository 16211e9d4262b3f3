"""Normals of densities whose slope is known."""

from __future__ import annotations

import torch

from methods.scenes.normals import density_normals


def test_a_sphere_s_normals_point_outward() -> None:
    outward = torch.nn.functional.normalize(torch.randn(50, 3, generator=torch.Generator().manual_seed(0)), dim=-1)
    normals = density_normals(lambda p: 5 * (0.5 - p.norm(dim=-1)), 0.5 * outward, step=1e-2)
    assert ((normals * outward).sum(-1) > 0.999).all()
    torch.testing.assert_close(normals.norm(dim=-1), torch.ones(50))


def test_exact_for_a_linear_density() -> None:
    slope = torch.tensor([1.0, -2.0, 2.0])
    normals = density_normals(lambda p: p @ slope, torch.zeros(1, 3), step=0.1)
    torch.testing.assert_close(normals[0], -slope / 3)


def test_flat_space_has_no_normal_and_no_nan() -> None:
    assert torch.equal(density_normals(lambda p: 0 * p[:, 0], torch.zeros(2, 3), step=0.1), torch.zeros(2, 3))

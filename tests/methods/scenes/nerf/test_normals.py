"""Normals of densities whose slope is known."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.scenes.nerf.field import Blob, Field
from methods.scenes.nerf.normals import analytic_normals, density_normals


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


def wavy(points: Tensor) -> Tensor:
    """A density whose gradient is known, without a preferred direction."""
    x, y, z = points.unbind(-1)
    return torch.sin(2 * x) * torch.cos(y) + 0.5 * z**3 - points.norm(dim=-1)


def test_analytic_and_measured_normals_agree_on_an_analytic_field() -> None:
    points = torch.randn(200, 3, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x, y, z = points.unbind(-1)
    gradient = torch.stack([2 * (2 * x).cos() * y.cos(), -(2 * x).sin() * y.sin(), 1.5 * z**2], dim=-1)
    gradient = gradient - points / points.norm(dim=-1, keepdim=True)
    expected = -gradient / gradient.norm(dim=-1, keepdim=True)
    torch.testing.assert_close(analytic_normals(wavy, points), expected)
    measured = density_normals(wavy, points, step=1e-3)
    assert ((measured * expected).sum(-1) > 1 - 1e-4).all()


def test_the_second_derivative_is_that_of_finite_differences() -> None:
    """A penalty on normals moves the parameters by a gradient of the gradient."""
    scale = torch.tensor([1.0, 2.0, 0.5], dtype=torch.float64, requires_grad=True)
    points = torch.randn(20, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    direction = torch.tensor([0.6, 0.0, -0.8], dtype=torch.float64)

    def penalty(scale: Tensor) -> Tensor:
        normals = analytic_normals(lambda p: wavy(scale * p), points)
        return ((normals * direction).sum(-1).clamp(min=0) ** 2).sum()

    assert torch.autograd.gradcheck(penalty, scale)


def hash_field() -> Field:
    init = torch.Generator().manual_seed(0)
    grid = HashGrid(levels=3, base_resolution=4, finest_resolution=16, initial_bound=1.0).build(init)
    return Field(grid, radius=1.0, hidden=16, blob=Blob(2.0, 0.5), generator=init)


def test_normals_of_a_hash_grid_are_its_slope_and_reach_its_table() -> None:
    """Trilinear cells have a slope inside; a small enough step of the differences stays in one cell nearly always."""
    field = hash_field().double()
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64) - 0.5
    normals = analytic_normals(field.density_logit, points)
    measured = density_normals(field.density_logit, points, step=1e-6)
    assert ((normals * measured).sum(-1) > 1 - 1e-6).float().mean() > 0.99
    normals[:, 0].sum().backward()
    assert field.encoding.table.grad.abs().max() > 0


@pytest.mark.parametrize("networks", ["joint", "separate"])
def test_one_reading_gives_the_field_and_its_normals(networks: str) -> None:
    """Density, colour, normals and the gradient of every parameter are those of two readings."""
    init = torch.Generator().manual_seed(0)
    grid = HashGrid(levels=3, base_resolution=4, finest_resolution=16, initial_bound=1.0).build(init)
    field = Field(grid, radius=1.0, hidden=16, blob=Blob(2.0, 0.5), generator=init, networks=networks)
    points = torch.rand(300, 3, generator=torch.Generator().manual_seed(3)) - 0.5
    found = []
    for sample, normals in (
        field.with_normals(points), (field(points), analytic_normals(field.density_logit, points)),
    ):  # fmt: skip
        loss = sample.density.square().sum() + sample.rgb.square().sum() + (normals[:, 0] * sample.density).sum()
        found.append((*sample, normals, *torch.autograd.grad(loss, list(field.parameters()))))
    for one, two in zip(*found, strict=True):
        torch.testing.assert_close(one, two, rtol=1e-5, atol=1e-6)
    with torch.no_grad():
        sample, normals = field.with_normals(points)
    assert not any(values.requires_grad for values in (*sample, normals))
    torch.testing.assert_close(normals, found[0][2].detach())


@pytest.mark.parametrize("grad", [True, False])
def test_analytic_normals_have_a_gradient_only_where_one_is_wanted(grad: bool) -> None:
    with torch.set_grad_enabled(grad):
        normals = analytic_normals(hash_field().density_logit, torch.full((5, 3), 0.3))
    assert normals.requires_grad is grad

"""Spherical harmonics against scipy's complex ones and the polynomials of 3D Gaussian Splatting's convention."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from gsplat_formulae import gsplat_formulae
from scipy.special import sph_harm_y
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import GaussianRates, Gaussians, GaussianScene
from methods.scenes.gaussians.harmonics import HARMONIC_0, basis, coefficients, colours


def directions(count: int, seed: int = 0) -> Tensor:
    drawn = torch.randn(count, 3, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    return torch.nn.functional.normalize(drawn, dim=-1)


def build(degree: int, **settings: object) -> GaussianScene:
    made = Gaussians(count=40, sh_degree=degree, **settings)
    return made.build(GaussianPrior(), torch.Generator().manual_seed(0))


def test_is_the_real_form_of_scipy_s_with_its_phase() -> None:
    """√2 times the imaginary part below order 0 and the real part above, in this order."""
    towards = directions(50)
    x, y, z = towards.numpy().T
    expected = []
    for degree in range(4):
        for order in range(-degree, degree + 1):
            value = sph_harm_y(degree, abs(order), np.arccos(z), np.arctan2(y, x))
            expected.append(value.real if order == 0 else math.sqrt(2) * (value.real if order > 0 else value.imag))
    for degree in range(4):
        found = basis(towards, degree)
        assert found.shape == (50, coefficients(degree))
        np.testing.assert_allclose(found.numpy(), np.stack(expected, axis=-1)[:, : (degree + 1) ** 2], atol=1e-12)


def test_signs_are_those_of_3d_gaussian_splatting() -> None:
    """The constants of its ``utils/sh_utils.py``: by hand at points where a polynomial has one term."""
    half = math.sqrt(0.5)
    at = torch.tensor([[1.0, 0, 0], [0, 1, 0], [0, 0, 1], [half, half, 0], [0, half, half], [half, 0, half]])
    values = basis(at.double(), 3)
    assert values[:, 0].tolist() == pytest.approx([0.28209479177387814] * 6)
    for row, column, value in [
        (1, 1, -0.4886025119029199), (2, 2, 0.4886025119029199), (0, 3, -0.4886025119029199),
        (3, 4, 1.0925484305920792 / 2), (4, 5, -1.0925484305920792 / 2), (2, 6, 2 * 0.31539156525252005),
        (5, 7, -1.0925484305920792 / 2), (0, 8, 0.5462742152960396), (1, 9, 0.5900435899266435),
        (1, 11, 0.4570457994644658), (2, 12, 2 * 0.3731763325901154), (0, 13, 0.4570457994644658),
        (5, 14, 1.445305721320277 * half**3), (0, 15, -0.5900435899266435),
    ]:  # fmt: skip
        assert float(values[row, column]) == pytest.approx(value, abs=1e-7), (row, column)
    corner = basis(torch.full((1, 3), math.sqrt(1 / 3), dtype=torch.float64), 3)
    assert float(corner[0, 10]) == pytest.approx(2.890611442640554 / 3**1.5)


def test_is_gsplat_s() -> None:
    own = gsplat_formulae()
    for degree in range(4):
        count = coefficients(degree)
        torch.testing.assert_close(basis(directions(20), degree), own._eval_sh_bases_fast(count, directions(20)))


def test_the_basis_is_orthonormal() -> None:
    nodes, weights = np.polynomial.legendre.leggauss(8)
    angle = 2 * math.pi * np.arange(16) / 16
    z, phi = (part.ravel() for part in np.meshgrid(nodes, angle, indexing="ij"))
    flat = np.sqrt(1 - z**2)
    values = basis(torch.from_numpy(np.stack([flat * np.cos(phi), flat * np.sin(phi), z], axis=-1)), 3).numpy()
    products = (values * np.repeat(weights, 16)[:, None] * 2 * math.pi / 16).T @ values
    np.testing.assert_allclose(products, np.eye(16), atol=1e-12)


def test_a_colour_is_that_from_the_camera_to_the_gaussian() -> None:
    harmonics = torch.zeros(1, 4, 3, dtype=torch.float64)
    harmonics[0, 3, 0] = -1.0  # redder along +x
    seen = colours(harmonics, torch.tensor([[[2.0, 0, 0]], [[-3.0, 0, 0]], [[0, 0, 1.0]]], dtype=torch.float64))
    assert seen[:, 0, 0].tolist() == pytest.approx([0.5 + 0.4886025119029199, 0.5 - 0.4886025119029199, 0.5])
    assert seen[:, 0, 1].tolist() == [0.5] * 3
    assert colours(-4 / HARMONIC_0 * torch.ones(1, 1, 3), torch.ones(2, 1, 3)).tolist() == [[[0.0] * 3]] * 2


@pytest.mark.parametrize("degree", range(4))
def test_a_scene_starts_with_the_colours_of_degree_0(degree: int) -> None:
    ring = evaluation_ring(3)
    with torch.no_grad():
        shown = [build(each).render(ring, resolution=12, background=torch.ones(3, 3)).rgb for each in (0, degree)]
    assert build(degree).harmonics.shape == (40, (degree + 1) ** 2, 3)
    torch.testing.assert_close(*shown, rtol=0, atol=1e-6)


def test_views_differ_once_a_scene_has_higher_degrees() -> None:
    scene, ring = build(1, size=0.3, opacity=0.9), evaluation_ring(2, elevation_deg=0.0)  # from +x and -x
    with torch.no_grad():
        scene.means.zero_()
        scene.harmonics[:, 3] = -0.5
        shown = scene.render(ring, resolution=8, background=torch.ones(2, 3)).rgb[:, :, 3:5, 3:5].mean((1, 2, 3))
    assert float(shown[1]) > float(shown[0]) + 0.1  # from -x the light's way back is along +x


def test_higher_degrees_step_a_twentieth_as_far() -> None:
    """As in an optimiser with a group of its own for them (3D Gaussian Splatting's ``f_rest``)."""
    scene = build(2, learning_rates=GaussianRates(colours=0.04))
    first, rest = (part.detach().clone().requires_grad_() for part in scene.harmonics.split([1, 8], dim=1))
    ours = torch.optim.Adam(scene.parameter_groups())
    theirs = torch.optim.Adam([{"params": [first], "lr": 0.04}, {"params": [rest], "lr": 0.04 / 20}])
    draws = torch.Generator().manual_seed(0)
    for step in range(6):
        scene.before_step(step / 5)
        slope = torch.randn(scene.harmonics.shape, generator=draws)
        scene.harmonics.grad = slope.clone()
        first.grad, rest.grad = slope[:, :1].clone(), slope[:, 1:].clone()
        ours.step()
        theirs.step()
        scene.after_step(step, ours, draws)
    assert float(rest.detach().abs().max()) > 0.004
    torch.testing.assert_close(scene.harmonics.detach(), torch.cat([first, rest], dim=1).detach(), rtol=0, atol=1e-7)


@pytest.mark.parametrize("degree", [-1, 4, 1.5])
def test_refuses_other_degrees(degree: float) -> None:
    with pytest.raises(ValueError, match=f"sh_degree: {degree} is not a degree from 0 to 3"):
        Gaussians(sh_degree=degree)

"""Penalties against numpy and scipy."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import entr

from methods.scenes.regularisers import back_facing, opaque, orientation, sparsity

OPACITY = np.random.default_rng(0).random((2, 1, 4, 4)).astype(np.float32)
OPACITY[0, 0, 0] = [0, 0, 1, 1]


def test_sparsity() -> None:
    np.testing.assert_allclose(sparsity(torch.from_numpy(OPACITY)), np.sqrt(OPACITY**2 + 0.01).mean(), rtol=1e-6)


def test_opaque_is_the_entropy_in_nats() -> None:
    o = OPACITY.astype(np.float64).clip(1e-3, 1 - 1e-3)
    np.testing.assert_allclose(opaque(torch.from_numpy(OPACITY)), (entr(o) + entr(1 - o)).mean(), rtol=1e-5)


def test_opaque_has_a_finite_gradient_at_the_ends() -> None:
    opacity = torch.tensor([0.0, 0.5, 1.0], requires_grad=True)
    opaque(opacity).backward()
    assert opacity.grad is not None
    assert opacity.grad.isfinite().all()


def test_back_facing_counts_normals_that_look_away() -> None:
    towards_camera, away, aslant = [-1.0, 0, 0], [1.0, 0, 0], [0.6, 0.8, 0]
    along = torch.tensor([[1.0, 0, 0]]).expand(3, 3)
    found = back_facing(torch.tensor([towards_camera, away, aslant]), along)
    torch.testing.assert_close(found, torch.tensor([[0.0], [1.0], [0.36]]))


def test_orientation_is_a_mean_over_the_rays_that_hit() -> None:
    rays = np.random.default_rng(1).random(OPACITY.shape).astype(np.float32)
    found = orientation(torch.from_numpy(rays), torch.from_numpy(OPACITY))
    np.testing.assert_allclose(found, rays.sum() / (OPACITY > 0).sum(), rtol=1e-6)


def test_orientation_of_an_empty_picture_is_zero() -> None:
    assert orientation(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)) == 0

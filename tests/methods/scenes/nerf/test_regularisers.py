"""Penalties against numpy and scipy."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import entr

from methods.scenes.nerf.regularisers import back_facing, convexity, opaque, orientation, z_variance

OPACITY = np.random.default_rng(0).random((2, 1, 4, 4)).astype(np.float32)
OPACITY[0, 0, 0] = [0, 0, 1, 1]


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


def test_orientation_of_an_empty_image_is_zero() -> None:
    assert orientation(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)) == 0


def test_z_variance_is_a_mean_over_the_solid_rays() -> None:
    variance = np.random.default_rng(2).random(OPACITY.shape).astype(np.float32)
    found = z_variance(torch.from_numpy(variance), torch.from_numpy(OPACITY))
    np.testing.assert_allclose(found, variance[OPACITY > 0.5].mean(), rtol=1e-6)


def test_z_variance_of_a_thin_scene_is_zero_and_leaves_its_gradient_finite() -> None:
    """The released code's mean of no pixel is not a number; so is a variance over a ray that hits nothing."""
    variance = torch.full((1, 1, 2, 2), 0.3, requires_grad=True)
    penalty = z_variance(variance, torch.full((1, 1, 2, 2), 0.4))
    penalty.backward()
    assert penalty == 0
    assert torch.equal(variance.grad, torch.zeros_like(variance))


def test_convexity_of_given_normals_pixel_by_pixel() -> None:
    """The expected value is computed in loops over an 8 × 8 image, which resizing does not change."""
    rng = np.random.default_rng(3)
    normals, opacity = rng.normal(size=(2, 3, 8, 8)), rng.random((2, 1, 8, 8))
    image = (normals / np.linalg.norm(normals, axis=1, keepdims=True) + 1) / 2 * opacity
    turns_right, turns_up = [], []
    for view in image.transpose(0, 2, 3, 1):
        for row in range(8):
            turns_right += [np.cross(view[row, column], view[row, column + 1])[2] for column in range(7)]
        for row in range(7):
            turns_up += [np.cross(view[row + 1, column], view[row, column])[2] for column in range(8)]
    expected = -(np.mean(turns_right) + np.mean(turns_up))
    found = convexity(torch.from_numpy(normals), torch.from_numpy(opacity))
    np.testing.assert_allclose(found, expected, rtol=1e-10)


def sphere_image(*, hollow: bool) -> tuple[torch.Tensor, torch.Tensor]:
    """The normals of a ball, or of a bowl's inside, seen from +x at 64 × 64."""
    axis = torch.linspace(-1, 1, 64)
    z, y = torch.meshgrid(-axis, axis, indexing="ij")
    depth = (1 - y**2 - z**2).clamp(min=0).sqrt()
    hit = (y**2 + z**2 < 1)[None, None].float()
    sign = -1 if hollow else 1
    return torch.stack([depth, sign * y, sign * z])[None] * hit, hit


def test_convexity_prefers_a_ball_to_a_bowl() -> None:
    assert convexity(*sphere_image(hollow=False)) < convexity(*sphere_image(hollow=True))


def test_convexity_of_an_empty_image_has_a_finite_gradient() -> None:
    normals = torch.zeros(1, 3, 16, 16, requires_grad=True)
    convexity(normals, torch.zeros(1, 1, 16, 16)).backward()
    assert normals.grad.isfinite().all()

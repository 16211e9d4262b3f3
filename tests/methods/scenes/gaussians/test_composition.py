"""The rasteriser against an evaluation pixel by pixel, in double precision."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from methods.cameras import Cameras, evaluation_ring
from methods.scenes.gaussians import composition
from methods.scenes.gaussians.composition import LEAST, MOST, composite
from methods.scenes.gaussians.projection import LOW_PASS, project
from methods.scenes.gaussians.rotation import rotation_matrix

SIDE = 19  # no whole number of tiles


def double(cameras: Cameras) -> Cameras:
    return Cameras(**{name: value.double() for name, value in vars(cameras).items()})


def cloud(seed: int, count: int, *, spread: float = 0.5, size: float = 0.1) -> list[Tensor]:
    """Means, logarithms of scales, quaternions, opacity logits and values of random Gaussians."""
    draws = torch.Generator().manual_seed(seed)

    def draw(*shape: int) -> Tensor:
        return torch.randn(shape, generator=draws, dtype=torch.float64)

    scales = math.log(size) + 0.7 * draw(count, 3)
    return [spread * draw(count, 3), scales, draw(count, 4), draw(count), draw(count, 2)]


def image(parts: list[Tensor], cameras: Cameras, side: int = SIDE) -> Tensor:
    means, scales, rotations, opacity, values = parts
    axes = rotation_matrix(rotations) * scales.exp()[:, None]
    ellipses = project(means, axes @ axes.mT, cameras, side)
    sums, covered = composite(ellipses, opacity.sigmoid(), values.expand(len(cameras), -1, -1), side)
    return torch.cat([sums, covered], dim=1)


def by_pixel(parts: list[Tensor], cameras: Cameras, side: int = SIDE) -> Tensor:
    """The same from the definition: each Gaussian's own matrices, and a loop over pixels and depths."""
    means, scales, rotations, opacity, values = parts
    images = []
    for view in range(len(cameras)):
        one = cameras[view : view + 1]
        position = one.positions[0]
        forward = torch.nn.functional.normalize(one.target[0] - position, dim=-1)
        right = torch.nn.functional.normalize(torch.linalg.cross(forward, one.up[0]), dim=-1)
        camera = torch.stack([right, torch.linalg.cross(forward, right), forward])
        reach = math.tan(math.radians(float(one.fovy_deg)) / 2)
        focal = side / 2 / reach
        seen = []
        for index in range(len(means)):
            quaternion = rotations[index] / rotations[index].norm()
            w, vector = quaternion[0], quaternion[1:]
            skew = torch.linalg.cross(torch.eye(3, dtype=means.dtype), vector.expand(3, 3)).T * -1
            turn = torch.eye(3, dtype=means.dtype) + 2 * w * skew + 2 * skew @ skew  # Rodrigues
            covariance = turn @ torch.diag((2 * scales[index]).exp()) @ turn.T
            x, y, z = camera @ (means[index] - position)
            if z <= 0.01:
                continue
            edge_x, edge_y = (z * (each / z).clamp(-1.3 * reach, 1.3 * reach) for each in (x, y))
            zero = torch.zeros_like(z)
            slope = torch.stack([focal / z, zero, -focal * edge_x / z**2, zero, focal / z, -focal * edge_y / z**2])
            flat = slope.view(2, 3) @ camera @ covariance @ camera.T @ slope.view(2, 3).T
            wide = flat + LOW_PASS * torch.eye(2, dtype=means.dtype)
            share = (torch.linalg.det(flat) / torch.linalg.det(wide)).clamp(min=0.005**2).sqrt()
            centre = focal * torch.stack([x, y]) / z + side / 2
            seen.append(
                (float(z.detach()), centre, torch.linalg.inv(wide), opacity[index].sigmoid() * share, values[index])
            )
        seen.sort(key=lambda each: each[0])
        rows = []
        for row in range(side):
            for column in range(side):
                light, total = torch.ones((), dtype=means.dtype), torch.zeros(3, dtype=means.dtype)
                for _, centre, inverse, peak, value in seen:
                    away = torch.tensor([column + 0.5, row + 0.5], dtype=means.dtype) - centre
                    alpha = peak * torch.exp(-0.5 * away @ inverse @ away)
                    if alpha < LEAST:
                        continue
                    alpha = alpha.clamp(max=MOST)
                    total = total + light * alpha * torch.cat([value, torch.ones_like(value[:1])])
                    light = light * (1 - alpha)
                rows.append(total)
        images.append(torch.stack(rows).T.view(3, side, side))
    return torch.stack(images)


@pytest.mark.parametrize("seed", range(3))
def test_images_and_gradients_are_those_of_the_definition(seed: int) -> None:
    cameras = double(evaluation_ring(2, distance=2.0))
    found = []
    for render in (image, by_pixel):
        parts = [part.requires_grad_() for part in cloud(seed, 6)]
        shown = render(parts, cameras, 11)
        weights = torch.rand(shown.shape, generator=torch.Generator().manual_seed(seed), dtype=shown.dtype)
        found.append((shown.detach(), *torch.autograd.grad((shown * weights).sum(), parts)))
    assert found[0][0].abs().max() > 0.1
    for ours, theirs in zip(*found, strict=True):
        assert (ours - theirs).abs().max() <= 1e-9


@settings(max_examples=25)
@given(seed=st.integers(0, 10_000), size=st.sampled_from([0.003, 0.1, 0.6]), spread=st.sampled_from([0.05, 0.5, 2.5]))
def test_any_cloud_has_a_gradient_and_no_pixel_more_than_all_light(seed: int, size: float, spread: float) -> None:
    """Small, wide, overlapping, behind the camera and outside of the image."""
    cameras = double(evaluation_ring(1, distance=2.0))
    parts = [part.requires_grad_() for part in cloud(seed, 12, spread=spread, size=size)]
    shown = image(parts, cameras)
    covered = shown[:, -1].detach()
    assert float(covered.min()) >= 0
    assert float(covered.max()) <= 1
    for slope in torch.autograd.grad(shown.sum(), parts):
        assert bool(slope.isfinite().all())


def test_gradients_are_those_of_finite_differences() -> None:
    cameras = double(evaluation_ring(1, distance=2.0))
    parts = tuple(part.requires_grad_() for part in cloud(1, 4, spread=0.2, size=0.3))
    assert torch.autograd.gradcheck(lambda *given: image(list(given), cameras, 4), parts, eps=1e-7, atol=1e-5)


def test_the_order_of_the_gaussians_and_the_size_of_tiles_are_seen_by_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras, parts = double(evaluation_ring(3, distance=2.0)), cloud(5, 40)
    shown = image(parts, cameras)
    turned = torch.randperm(40, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(image([part[turned] for part in parts], cameras), shown, rtol=0, atol=1e-12)
    monkeypatch.setattr(composition, "TILE", 5)
    torch.testing.assert_close(image(parts, cameras), shown, rtol=0, atol=1e-12)


def test_tiles_that_are_computed_again_have_the_same_gradient(monkeypatch: pytest.MonkeyPatch) -> None:
    cameras, found = double(evaluation_ring(1, distance=2.0)), []
    for pairs in (2**24, 1):
        monkeypatch.setattr(composition, "_PAIRS_AT_ONCE", pairs)
        parts = [part.requires_grad_() for part in cloud(2, 9)]
        found.append(torch.autograd.grad(image(parts, cameras).square().sum(), parts))
    for one, other in zip(*found, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-12)


def test_a_camera_that_sees_nothing_shows_nothing_and_can_be_stepped() -> None:
    cameras = double(evaluation_ring(1, distance=2.0))
    parts = cloud(0, 5)
    parts[0] = parts[0] + 50 * cameras.positions  # all behind
    parts = [part.requires_grad_() for part in parts]
    shown = image(parts, cameras)
    assert bool((shown == 0).all())


def test_the_nearer_one_hides_the_other() -> None:
    cameras = double(evaluation_ring(1, distance=2.0, elevation_deg=0.0))  # from +x
    values = torch.tensor([[1.0, 0.0], [0.0, 1.0]], dtype=torch.float64)
    for near, far in ((0, 1), (1, 0)):
        means = torch.zeros(2, 3, dtype=torch.float64)
        means[near, 0], means[far, 0] = 0.3, -0.3
        parts = [means, torch.full((2, 3), math.log(0.5)).double(), torch.eye(4).double()[:2] + 1e-9,
                 torch.full((2,), 9.0).double(), values]  # fmt: skip
        middle = image(parts, cameras)[0, :, SIDE // 2, SIDE // 2]
        assert 0.99 < middle[near] <= MOST
        assert middle[far] < 0.01


def test_a_gaussian_that_is_not_a_number_shows() -> None:
    cameras, parts = double(evaluation_ring(1, distance=2.0)), cloud(0, 5)
    for which in range(5):
        broken = [part.clone() for part in parts]
        broken[which][2] = float("nan")
        assert not bool(image(broken, cameras).isfinite().all()), which

"""The call of gsplat: a stand-in with its arguments, shapes and conventions on the CPU, its kernels on a GPU.

The stand-in projects from the matrices that gsplat gets, by homogeneous coordinates and the derivative that autograd
finds of them, and composites with this project's code.
"""

from __future__ import annotations

import sys
from functools import partial
from typing import Any

import pytest
import torch
from gaussian_clouds import draw_with, gradients, random_cloud
from gsplat_formulae import gsplat_formulae
from torch import Tensor

from methods.camera_range import CameraRange
from methods.cameras import Cameras, evaluation_ring, sample_cameras
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.composition import LEAST, composite
from methods.scenes.gaussians.gaussians import Gaussians
from methods.scenes.gaussians.projection import Ellipses
from methods.scenes.gaussians.rasterisers import gsplat, rasterisers
from methods.scenes.gaussians.rasterisers.gsplat import Gsplat, intrinsics, rasterise, world_to_camera
from methods.scenes.gaussians.rasterisers.rasteriser import Cloud
from methods.scenes.gaussians.rasterisers.torch_tiles import TorchTiles
from methods.scenes.gaussians.rotation import rotation_matrix
from methods.settings import MissingPackageError

SIDE = 21
#: gsplat's defaults that the call relies on, and what it must set.
SET = {"near_plane": 0.01, "eps2d": 0.3, "packed": False, "rasterize_mode": "antialiased"}


def double(cameras: Cameras) -> Cameras:
    return Cameras(**{name: value.double() for name, value in vars(cameras).items()})


def views(count: int = 3) -> Cameras:
    bounds = CameraRange(
        distance=(1.5, 3.0), fovy_deg=(30.0, 70.0), position_jitter=0.2, up_jitter=0.2, target_jitter=0.2
    )
    return double(sample_cameras(bounds, count, torch.Generator().manual_seed(4)))


def on_screen(camera: Tensor, point: Tensor) -> Tensor:
    return (camera @ point)[:2] / point[2]


def project(means: Tensor, quats: Tensor, scales: Tensor, views: Tensor, cameras: Tensor, width: int) -> list[Tensor]:
    """Centres ``(c n 2)``, covariances ``(c n 2 2)`` without a low-pass, and depths ``(c n)``."""
    axes = rotation_matrix(quats) * scales[:, None]
    seen = torch.einsum("cij,nj->cni", views[:, :3, :3], means) + views[:, None, :3, 3]
    flat = torch.einsum("cij,cnj->cni", cameras, seen)
    limit = (1.3 * width / (2 * cameras[:, 0, 0]))[:, None, None]  # the slope beyond is that of the edge
    z = seen[..., 2:]
    at = torch.cat([z * torch.minimum(torch.maximum(seen[..., :2] / z, -limit), limit), z], dim=-1)
    slopes = torch.stack([
        torch.stack([
            torch.autograd.functional.jacobian(partial(on_screen, camera), point, create_graph=True)
            for point in points
        ])
        for camera, points in zip(cameras, at, strict=True)
    ])  # fmt: skip
    turned = slopes @ views[:, None, :3, :3] @ axes
    return [flat[..., :2] / flat[..., 2:], turned @ turned.mT, z[..., 0]]


def rasterization(
    means: Tensor, quats: Tensor, scales: Tensor, opacities: Tensor, colors: Tensor, viewmats: Tensor, Ks: Tensor,  # noqa: N803
    width: int, height: int, **options: Any,
) -> tuple[Tensor, Tensor, dict[str, Tensor]]:  # fmt: skip
    """Stand-in for ``gsplat.rasterization``."""
    count, seen_by = len(means), len(viewmats)
    assert means.shape == scales.shape == (count, 3)
    assert quats.shape == (count, 4)
    assert opacities.shape == (count,)
    assert colors.shape[:2] == (seen_by, count)
    assert viewmats.shape == (seen_by, 4, 4)
    assert Ks.shape == (seen_by, 3, 3)
    assert width == height
    assert options == SET
    centres, covariance, depths = project(means, quats, scales, viewmats, Ks, width)
    wide = covariance + options["eps2d"] * torch.eye(2, dtype=means.dtype)
    share = (torch.linalg.det(covariance) / torch.linalg.det(wide)).clamp(min=0.005**2).sqrt()
    flat = torch.stack([wide[..., 0, 0], wide[..., 0, 1], wide[..., 1, 1]], dim=-1)
    in_front = depths > options["near_plane"]
    sums, opacity = composite(Ellipses(centres, flat, share, depths, in_front), opacities, colors, width)
    reach = (2 * (opacities * share / LEAST).clamp(min=1).log()).sqrt()[..., None]
    radii = torch.ceil(reach * wide.diagonal(dim1=-2, dim2=-1).sqrt())
    shown = in_front & (opacities * share >= LEAST)
    shown = shown & ((centres + radii > 0) & (centres - radii < width)).all(-1)
    inverse = torch.linalg.inv(wide)
    conics = torch.stack([inverse[..., 0, 0], inverse[..., 0, 1], inverse[..., 1, 1]], dim=-1)
    info = {
        "means2d": centres,
        "radii": torch.where(shown[..., None], radii, 0).int(),
        "conics": torch.where(shown[..., None], conics, torch.nan),  # gsplat leaves them as they were
    }
    return sums.permute(0, 2, 3, 1), opacity.permute(0, 2, 3, 1), info


def by_stand_in(*given: Any) -> Any:
    return rasterise(rasterization, *given)


@pytest.mark.parametrize("spread", [0.3, 1.5], ids=["in view", "around the cameras"])
def test_the_matrices_and_shapes_give_images_gradients_and_radii_of_torch(spread: float) -> None:
    cameras, found = views(), []
    for draw in (by_stand_in, TorchTiles().draw):
        parts = random_cloud(3, 24, spread=spread, size=0.08)
        drawn = draw_with(draw, parts, cameras, SIDE)
        found.append((drawn, gradients(drawn, parts)))
    (theirs, their_slopes), (ours, our_slopes) = found
    assert theirs.sums.shape == (3, 5, SIDE, SIDE)
    assert theirs.opacity.shape == (3, 1, SIDE, SIDE)
    assert float(ours.opacity.detach().max()) > 0.1
    torch.testing.assert_close(theirs.sums, ours.sums, rtol=0, atol=1e-10)
    torch.testing.assert_close(theirs.opacity, ours.opacity, rtol=0, atol=1e-10)
    torch.testing.assert_close(theirs.radii, ours.radii, rtol=1e-8, atol=0)
    assert 0 < int((ours.radii > 0).sum()) < ours.radii.numel() or spread < 1
    seen = ours.radii > 0
    torch.testing.assert_close(theirs.centres[seen], ours.centres[seen], rtol=0, atol=1e-9)
    for slope, other in zip(their_slopes, our_slopes, strict=True):
        torch.testing.assert_close(slope, other, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("part", range(5))
def test_a_gaussian_that_is_not_a_number_shows_although_gsplat_leaves_it_out(part: int) -> None:
    parts = [each.detach().clone() for each in random_cloud(3, 24, size=0.08)]
    parts[part].view(24, -1)[7, 0] = torch.nan

    def without_nan(
        means: Tensor, quats: Tensor, scales: Tensor, opacities: Tensor, colors: Tensor, **given: Any
    ) -> Any:
        kept = torch.arange(24) != 7
        return rasterization(
            means[kept], quats[kept], scales[kept], opacities[kept], colors[:, kept], **given
        )  # fmt: skip

    drawn = draw_with(partial(rasterise, without_nan), tuple(parts), views(), SIDE)
    assert bool(drawn.sums.isnan().all())
    assert bool(drawn.opacity.isnan().all())


def test_world_to_camera_and_intrinsics_place_a_point_on_its_ray() -> None:
    cameras = views()
    rays = cameras.rays(SIDE)
    points = (rays.origins + 2.0 * rays.directions).flatten(1, 2)
    seen = points @ world_to_camera(cameras)[:, :3, :3].mT + world_to_camera(cameras)[:, None, :3, 3]
    flat = seen @ intrinsics(cameras, SIDE).mT
    pixels = flat[..., :2] / flat[..., 2:]
    column, row = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="xy")
    expected = torch.stack([column.flatten(), row.flatten()], dim=-1).double().expand(3, -1, -1)
    torch.testing.assert_close(pixels, expected, rtol=0, atol=1e-9)


@pytest.mark.parametrize("which", ["ours", "stand-in"])
def test_gsplat_s_own_projection_is_the_same(which: str) -> None:
    """Its formulae in plain torch, from the file: the package compiles kernels when it is imported."""
    own, cameras = gsplat_formulae(), views()
    means, scales, rotations, *_ = random_cloud(5, 30, spread=2.0)
    matrices = (world_to_camera(cameras), intrinsics(cameras, SIDE))
    covariance, _ = own._quat_scale_to_covar_preci(rotations, scales, True, False)
    _, centres, depths, conics, shares = own._fully_fused_projection(
        means, covariance, *matrices, SIDE, SIDE, 0.3, 0.01, 1e10, True
    )
    if which == "stand-in":
        found, flat, depth = project(means, rotations, scales, *matrices, SIDE)
        wide = flat + 0.3 * torch.eye(2)
        inverse = torch.linalg.inv(wide)
        conic = torch.stack([inverse[..., 0, 0], inverse[..., 0, 1], inverse[..., 1, 1]], dim=-1)
        share = (torch.linalg.det(flat) / torch.linalg.det(wide)).clamp(min=0).sqrt()
    else:
        from methods.scenes.gaussians.projection import project as ours

        ellipses = ours(means, covariance, cameras, SIDE)
        xx, xy, yy = ellipses.covariance.unbind(-1)
        conic = torch.stack([yy, -xy, xx], dim=-1) / (xx * yy - xy**2)[..., None]
        found, depth, share = ellipses.centres, ellipses.depth, ellipses.share
    in_front = depths > 0.01
    assert 0.5 < float(in_front.double().mean()) < 1
    for one, other in ((found, centres), (conic, conics), (depth, depths)):
        torch.testing.assert_close(one[in_front], other[in_front], rtol=1e-7, atol=1e-7)
    torch.testing.assert_close(share[in_front], shares[in_front].clamp(min=0.005), rtol=1e-6, atol=0)


def test_is_registered_and_draws_on_a_cpu_and_without_gaussians_as_torch_does(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "gsplat", None)  # an import fails
    assert rasterisers["gsplat"] is Gsplat
    cameras = evaluation_ring(2)
    for count in (0, 7):
        parts = random_cloud(0, count, dtype=torch.float32)
        drawn = draw_with(Gsplat().draw, parts, cameras, 8)
        plain = draw_with(TorchTiles().draw, parts, cameras, 8)
        assert all(torch.equal(one, other) for one, other in zip(drawn, plain, strict=True))


@pytest.mark.parametrize("problem", ["is not installed", "has no CUDA device here", "does not work here (OSError: no)"])
def test_a_machine_without_it_is_one_line(problem: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gsplat, "problem", lambda: problem)
    with pytest.raises(MissingPackageError) as error:
        Gaussians(rasteriser=Gsplat()).build(GaussianPrior(), torch.Generator().manual_seed(0))
    assert str(error.value) == (
        "rasteriser: 'gsplat' needs the package gsplat (the extra gpu) and a CUDA device, "
        f"and gsplat {problem}; 'torch' works without them"
    )
    monkeypatch.setattr(gsplat, "problem", lambda: None)
    Gaussians(rasteriser=Gsplat()).build(GaussianPrior(), torch.Generator().manual_seed(0))


def test_the_forecast_counts_the_tiles_that_boxes_at_random_places_touch() -> None:
    deviation, side = 5.0, 4096
    places = torch.rand(20_000, 2, generator=torch.Generator().manual_seed(0)) * side
    half = 3.33 * deviation
    tiles = (((places + half) / 16).floor() - ((places - half) / 16).floor() + 1).prod(-1).mean()
    one = Gsplat().kept_bytes(1, deviation, 4, side) - Gsplat().kept_bytes(0, deviation, 4, side)
    assert one == pytest.approx(2 * 4 * (10 + 4) + 24 * float(tiles), rel=0.02)
    assert TorchTiles().kept_bytes(1, deviation, 4, side) is None


def test_the_forecast_s_gaussians_have_the_size_in_pixels_that_they_are_drawn_with(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    cameras, asked = sample_cameras(CameraRange(), 16, torch.Generator().manual_seed(0)), []
    monkeypatch.setattr(Gsplat, "kept_bytes", lambda self, *given: asked.append(given))
    Gaussians(count=300, size=0.1, rasteriser=Gsplat()).kept_bytes(64, cameras)
    [(count, deviation, _, side)] = asked
    scene = Gaussians(count=300, size=0.1).build(GaussianPrior(), torch.Generator().manual_seed(0))
    cloud = Cloud(scene.means, scene.log_scales.exp(), scene.rotations, scene.opacity_logits.sigmoid())
    radii = TorchTiles().draw(cloud, torch.ones(16, 300, 1), cameras, 64).radii
    assert (count, side) == (300, 64)
    assert deviation == pytest.approx(float(radii[radii > 0].mean()) / 3, rel=0.1)

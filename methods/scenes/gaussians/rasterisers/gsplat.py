"""The rasteriser in gsplat's kernels, on a CUDA device."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version
from typing import Any

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.scenes.gaussians.projection import LOW_PASS, NEAR, camera_axes
from methods.scenes.gaussians.rasterisers import rasterisers
from methods.scenes.gaussians.rasterisers.rasteriser import Cloud, Rasterised, Rasteriser
from methods.scenes.gaussians.rasterisers.torch_tiles import TorchTiles
from methods.scenes.gpu_packages import find_problem, require_package

#: Side of gsplat's tiles, pixels, and the standard deviations at which it ends a Gaussian.
_TILE, _END = 16, 3.33

#: Numbers of 4 bytes that it keeps of a Gaussian in an image, its values apart: radii, centre, depth, conic,
#: compensation and opacity; each has a gradient.
_OF_A_GAUSSIAN = 2 + 2 + 1 + 3 + 1 + 1

#: Bytes of a Gaussian in a tile: a key of 8 and an index of 4, each before and after they are sorted.
_OF_A_TILE = 2 * (8 + 4)


@rasterisers.register("gsplat")
@dataclass(frozen=True)
class Gsplat(Rasteriser):
    """gsplat 1.5, which needs a CUDA device: images and gradients of ``torch``, in one call for all views.

    A ray of its ends before the Gaussian that would leave less than 1/10000 of the light, which then does not count:
    up to 1e-4 / (1 - a) of the opacity is missing for Gaussians of opacity a, 0.1 at the most.  It adds up gradients in
    another order each time.  Tensors that are not on a CUDA device, and a scene of no Gaussian, are drawn as ``torch``
    does.
    """

    def require(self) -> None:
        """Make sure that gsplat runs here; where it has never run, it compiles its kernels for some minutes.

        Raises:
            MissingPackageError: If gsplat is not installed, or does not work on this machine.
        """
        require_package("rasteriser", "gsplat", problem(), "the extra gpu")

    def portable(self) -> Rasteriser:
        """``torch``."""
        return TorchTiles()

    def kept_bytes(self, count: int, deviation: float, channels: int, resolution: int) -> float:
        """Those of each Gaussian, of its tiles as if the image cut none off, and of each pixel.

        The numbers are those of gsplat 1.5's code; they have not been compared with a device.
        """
        tiles = (2 * _END * deviation / _TILE + 1) ** 2
        of_gaussians = count * (2 * 4 * (_OF_A_GAUSSIAN + channels) + tiles * _OF_A_TILE)
        return of_gaussians + 2 * 4 * (channels + 2) * resolution**2  # opacity, and the last Gaussian that was drawn

    def draw(self, cloud: Cloud, values: Tensor, cameras: Cameras, resolution: int) -> Rasterised:
        """Draw a cloud; the ``centres`` of Gaussians that a camera does not see are arbitrary numbers."""
        if cloud.means.device.type != "cuda" or len(cloud.means) == 0:
            return TorchTiles().draw(cloud, values, cameras, resolution)
        return rasterise(importlib.import_module("gsplat").rasterization, cloud, values, cameras, resolution)


def rasterise(
    rasterization: Callable[..., tuple[Tensor, Tensor, dict[str, Any]]],
    cloud: Cloud,
    values: Tensor,
    cameras: Cameras,
    resolution: int,
) -> Rasterised:
    """Draw a cloud with ``gsplat.rasterization``.

    Args:
        rasterization: That function, or one with the same arguments and results.
        cloud: The Gaussians.
        values: What is summed, ``(b n c)``.
        cameras: ``b`` cameras.
        resolution: Side of the images, pixels.
    """
    sums, opacity, info = rasterization(
        means=cloud.means,
        quats=cloud.rotations,
        scales=cloud.scales,
        opacities=cloud.opacities,
        colors=values,
        viewmats=world_to_camera(cameras),
        Ks=intrinsics(cameras, resolution),
        width=resolution,
        height=resolution,
        near_plane=NEAR,
        eps2d=LOW_PASS,
        packed=False,
        rasterize_mode="antialiased",
    )
    with torch.no_grad():
        is_seen = (info["radii"] > 0).all(-1)  # (b n), from a box by axis that is narrower for a low opacity
        # conics of what is not seen are whatever was in the memory before
        xx, xy, yy = torch.where(is_seen[..., None], info["conics"], 1.0).unbind(-1)
        least = (xx + yy) / 2 - (((xx - yy) / 2) ** 2 + xy**2).sqrt()  # inverse variance along the longer axis
        radii = torch.where(is_seen, 3 / least.sqrt(), 0.0)
        # 0, or NaN: gsplat leaves out a Gaussian that has a NaN, and a broken scene must show
        broken = 0 * torch.stack([part.sum() for part in (*cloud, values)]).sum()
    sums, opacity = (image.permute(0, 3, 1, 2) + broken for image in (sums, opacity))
    return Rasterised(sums, opacity, info["means2d"], radii)


def world_to_camera(cameras: Cameras) -> Tensor:
    """Matrices ``(b 4 4)`` from world points to right, down and depth in front of each camera."""
    axes = camera_axes(cameras)
    matrices = torch.eye(4, device=axes.device, dtype=axes.dtype).repeat(len(cameras), 1, 1)
    matrices[:, :3, :3] = axes
    matrices[:, :3, 3] = -(axes @ cameras.positions[:, :, None])[..., 0]
    return matrices


def intrinsics(cameras: Cameras, resolution: int) -> Tensor:
    """Matrices ``(b 3 3)`` from camera points to pixels from the left and from the top, times depth."""
    focal = resolution / (2 * torch.tan(torch.deg2rad(cameras.fovy_deg) / 2))
    matrices = torch.zeros(len(cameras), 3, 3, device=focal.device, dtype=focal.dtype)
    matrices[:, 0, 0] = matrices[:, 1, 1] = focal
    matrices[:, :2, 2] = resolution / 2
    matrices[:, 2, 2] = 1.0
    return matrices


@cache
def problem() -> str | None:
    """Why gsplat cannot be used on this machine, as a clause after its name; None if it can."""
    return find_problem("gsplat", _use, build="gsplat_cuda")


def _use(gsplat: Any) -> None:
    installed = version("gsplat")
    if tuple(int(part) for part in installed.split(".")[:2]) < (1, 5):
        raise RuntimeError(f"version {installed} is older than 1.5")
    one = torch.ones(1, 4, device="cuda")
    cameras = torch.eye(4, device="cuda")[None]
    places = (one[:, :3], one, one[:, :3], one[:, 0], one[:, :3])
    gsplat.rasterization(*places, cameras, cameras[:, :3, :3], 8, 8, packed=False)

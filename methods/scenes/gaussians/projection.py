"""Gaussians in space to ellipses in an image (EWA splatting, Zwicker et al. 2001; 3D Gaussian Splatting, eq. 5)."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from methods.cameras import Cameras

#: Variance added along both axes of an ellipse, so that none is smaller than a pixel (gsplat's ``eps2d``), pixels².
LOW_PASS = 0.3

#: Depth in front of a camera from which a Gaussian is seen, world units (gsplat's ``near_plane``).
NEAR = 0.01

#: Factor on the tangent of half of the field of view, beyond which the slope of the projection is that of the edge
#: (3D Gaussian Splatting's code, and gsplat's).
_EDGE = 1.3

#: Least share of the opacity that the low-pass leaves (gsplat's ``MIN_COMPENSATION``, from 1.6 on).
_LEAST_SHARE = 0.005


class Ellipses(NamedTuple):
    """The Gaussians as each of ``b`` cameras sees them."""

    centres: Tensor  # (b n 2), pixels from the left and from the top
    covariance: Tensor  # (b n 3): xx, xy, yy, pixels², the low-pass included
    share: Tensor  # (b n), what the low-pass leaves of the opacity at the centre (Mip-Splatting's 2D filter)
    depth: Tensor  # (b n), along the line of sight, world units
    is_seen: Tensor  # (b n) bool, in front of the camera


def project(means: Tensor, covariance: Tensor, cameras: Cameras, resolution: int) -> Ellipses:
    """The ellipses of Gaussians.

    Args:
        means: ``(n 3)``, world units.
        covariance: ``(n 3 3)``, world units squared.
        cameras: ``b`` cameras.
        resolution: Side of the images, pixels.
    """
    x, y, depth = (axes := camera_axes(cameras)).matmul((means - cameras.positions[:, None]).mT).unbind(1)
    is_seen = ~(depth <= NEAR)  # one that is not a number is seen: a broken scene must show
    safe = torch.where(is_seen, depth, 1.0)
    reach = torch.tan(torch.deg2rad(cameras.fovy_deg) / 2)[:, None]
    focal = resolution / (2 * reach)  # pixels
    centres = torch.stack([focal * x / safe, focal * y / safe], dim=-1) + resolution / 2
    limit = _EDGE * reach
    slope_x, slope_y = (safe * torch.minimum(torch.maximum(each / safe, -limit), limit) for each in (x, y))
    scale, zero = focal / safe, torch.zeros_like(safe)
    jacobian = torch.stack(
        [scale, zero, -scale * slope_x / safe, zero, scale, -scale * slope_y / safe], dim=-1
    ).unflatten(-1, (2, 3))
    turned = jacobian @ axes[:, None]  # (b n 2 3)
    flat = turned @ covariance @ turned.mT
    xx, xy, yy = flat[..., 0, 0], flat[..., 0, 1], flat[..., 1, 1]
    wide_xx, wide_yy = xx + LOW_PASS, yy + LOW_PASS
    before, after = xx * yy - xy**2, wide_xx * wide_yy - xy**2
    share = (before / after).clamp(min=_LEAST_SHARE**2).sqrt()  # the slope of a root is infinite at 0
    return Ellipses(centres, torch.stack([wide_xx, xy, wide_yy], dim=-1), share, depth, is_seen)


def camera_axes(cameras: Cameras) -> Tensor:
    """World directions of each image's right, down and line of sight, ``(b 3 3)``, a row each."""
    forward = torch.nn.functional.normalize(cameras.target - cameras.positions, dim=-1)
    right = torch.nn.functional.normalize(torch.linalg.cross(forward, cameras.up.to(forward)), dim=-1)
    return torch.stack([right, torch.linalg.cross(forward, right), forward], dim=1)

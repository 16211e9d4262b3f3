"""Normals of Gaussians, which have no surface."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.cameras import Rays
from methods.scenes.gaussians.rotation import rotation_matrix

#: Opacity of a pixel from which its depth counts.
_LEAST_OPACITY = 0.01


def shortest_axes(scales: Tensor, rotations: Tensor, from_camera: Tensor) -> Tensor:
    """Each Gaussian's shortest axis on the side of each camera, ``(b n 3)``, unit length.

    Args:
        scales: ``(n 3)``, standard deviations along the axes.
        rotations: ``(n 4)``, quaternions.
        from_camera: ``(b n 3)``, from each camera to each Gaussian.
    """
    shortest = scales.argmin(dim=1)[:, None, None].expand(-1, 3, 1)
    axis = rotation_matrix(rotations).gather(2, shortest)[..., 0]
    return axis * torch.where((axis * from_camera).sum(-1, keepdim=True) > 0, -1.0, 1.0)


def depth_normals(rays: Rays, depth: Tensor, opacity: Tensor) -> Tensor:
    """Normals ``(b 3 h w)`` of the surface that the depth describes, towards the camera, times the opacity.

    Along each side of the image, the difference is that to the neighbour whose depth is nearer, so that the outline of
    an object does not bend what is next to it.  Where no neighbour has a depth, the normal is 0.

    Args:
        rays: ``(b h w 3)``.
        depth: ``(b 1 h w)``, distance along the ray.
        opacity: ``(b 1 h w)``.
    """
    points = rays.origins + depth[:, 0, :, :, None] * rays.directions
    depth = torch.where(opacity > _LEAST_OPACITY, depth, torch.inf).detach()[:, 0]
    across, is_known = _difference(points, depth, 2)
    down, is_known_too = _difference(points, depth, 1)
    normal = torch.linalg.cross(across, down)
    # a difference of nothing would have no direction, and its gradient no number
    is_known = (is_known & is_known_too)[..., None]
    normal = torch.nn.functional.normalize(torch.where(is_known, normal, rays.directions), dim=-1)
    towards = torch.where((normal * rays.directions).sum(-1, keepdim=True) > 0, -1.0, 1.0)
    return torch.where(is_known, towards * normal, 0.0).permute(0, 3, 1, 2) * opacity


def _difference(points: Tensor, depth: Tensor, axis: int) -> tuple[Tensor, Tensor]:
    """Differences ``(b h w 3)`` of points along an axis of the image, and whether there is one ``(b h w)``."""
    size = depth.shape[axis]
    step = points.narrow(axis, 1, size - 1) - points.narrow(axis, 0, size - 1)
    jump = (depth.narrow(axis, 1, size - 1) - depth.narrow(axis, 0, size - 1)).abs()
    jump = torch.where(jump.isfinite(), jump, torch.inf)  # between two pixels without a depth it is NaN
    none, far = torch.zeros_like(points.narrow(axis, 0, 1)), torch.full_like(depth.narrow(axis, 0, 1), torch.inf)
    after, before = torch.cat([step, none], dim=axis), torch.cat([none, step], dim=axis)
    jump_after, jump_before = torch.cat([jump, far], dim=axis), torch.cat([far, jump], dim=axis)
    nearer = torch.minimum(jump_after, jump_before)
    return torch.where((jump_before < jump_after)[..., None], before, after), nearer.isfinite()

"""Penalties on what a scene renders, unweighted."""

from __future__ import annotations

import torch
from torch import Tensor, nn


def back_facing(normals: Tensor, directions: Tensor) -> Tensor:
    """``max(n·d, 0)²`` ``(n 1)`` of samples whose normals ``(n 3)`` look away along the ray ``(n 3)``.

    Ref-NeRF's orientation penalty (arXiv 2112.03907, eq. 11; DreamFusion uses it too) before it is weighted and summed.
    """
    return (normals * directions).sum(-1, keepdim=True).clamp(min=0) ** 2


def orientation(back_facing_rays: Tensor, opacity: Tensor) -> Tensor:
    """Mean of the rays' weighted sums of :func:`back_facing` over the rays that hit anything (threestudio)."""
    return back_facing_rays.sum() / (opacity > 0).sum().clamp(min=1)


def opaque(opacity: Tensor) -> Tensor:
    """Binary entropy (nats) of the opacity, clamped to [1e-3, 1 - 1e-3]: a pixel should be one or the other."""
    o = opacity.clamp(1e-3, 1 - 1e-3)
    return -(o * o.log() + (1 - o) * (1 - o).log()).mean()


def z_variance(variance: Tensor, opacity: Tensor) -> Tensor:
    """Mean variance of the depth along rays with an opacity over 0.5 (HiFA, arXiv 2305.18766, as threestudio has it).

    Without such a ray it is 0; the released code takes the mean of nothing, which is not a number, and a run that is
    empty for one step is lost from there on without any message.

    Args:
        variance: ``(b 1 h w)``, under each ray's weights divided by their sum, world units squared.
        opacity: ``(b 1 h w)``.
    """
    solid = opacity > 0.5
    return torch.where(solid, variance, 0.0).sum() / solid.sum().clamp(min=1)


def convexity(normals: Tensor, opacity: Tensor, *, side: int = 8) -> Tensor:
    """Minus the mean turn from each normal to the next, to the right and upward, of a small image of the normals.

    As released with SDI (``systems/sdi.py`` of threestudio): the image is (n + 1) / 2 · opacity in world axes,
    resized bilinearly without smoothing, and the turn is the z component of the cross product of neighbours, of either
    sign.  The paper (arXiv 2405.15891) describes the sine of their angle in the view's axes, negative ones only.

    Args:
        normals: ``(b 3 h w)``, each of any length; 0 where nothing is hit.
        opacity: ``(b 1 h w)``.
        side: Side of the small image, pixels (``convexity_res``: 8).
    """
    image = (nn.functional.normalize(normals, dim=1) + 1) / 2 * opacity
    small = nn.functional.interpolate(image, (side, side), mode="bilinear", align_corners=False)
    rightward = torch.linalg.cross(small[..., :-1], small[..., 1:], dim=1)[:, 2]
    upward = torch.linalg.cross(small[:, :, 1:], small[:, :, :-1], dim=1)[:, 2]
    return -(rightward.mean() + upward.mean())

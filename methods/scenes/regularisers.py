"""Penalties on what a scene renders, unweighted."""

from __future__ import annotations

from torch import Tensor


def back_facing(normals: Tensor, directions: Tensor) -> Tensor:
    """``max(n·d, 0)²`` ``(n 1)`` of samples whose normals ``(n 3)`` look away along the ray ``(n 3)``.

    Ref-NeRF's orientation penalty (arXiv 2112.03907, eq. 11; DreamFusion uses it too) before it is weighted and summed.
    """
    return (normals * directions).sum(-1, keepdim=True).clamp(min=0) ** 2


def orientation(back_facing_rays: Tensor, opacity: Tensor) -> Tensor:
    """Mean of the rays' weighted sums of :func:`back_facing` over the rays that hit anything (threestudio)."""
    return back_facing_rays.sum() / (opacity > 0).sum().clamp(min=1)


def sparsity(opacity: Tensor) -> Tensor:
    """``mean √(o² + 0.01)``: pulls faint haze to nothing, and solid things hardly at all (threestudio)."""
    return (opacity**2 + 0.01).sqrt().mean()


def opaque(opacity: Tensor) -> Tensor:
    """Binary entropy (nats) of the opacity, clamped to [1e-3, 1 - 1e-3]: a pixel should be one or the other."""
    o = opacity.clamp(1e-3, 1 - 1e-3)
    return -(o * o.log() + (1 - o) * (1 - o).log()).mean()

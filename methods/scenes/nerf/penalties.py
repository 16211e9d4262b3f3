"""The penalties of a scene with a surface, with their weights."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.contracts import Rendering
from methods.scenes.nerf import regularisers
from methods.scenes.nerf.schedule import Schedule, check_schedule, weight_at


class Penalties:
    """Weights of the penalties over an optimisation.

    Args:
        schedules: Weight of ``orient``, ``sparsity``, ``opaque``, ``z_variance`` and ``convex``, each a
            :data:`~methods.scenes.nerf.schedule.Schedule`.

    Raises:
        ValueError: If a schedule is none; the line names it ``lambda_…``.
    """

    def __init__(self, **schedules: Schedule) -> None:
        for name, schedule in schedules.items():
            check_schedule(f"lambda_{name}", schedule)
        self.schedules = schedules

    def may_ask_for(self, name: str) -> bool:
        """Whether the render at hand is one that the penalty may be asked of."""
        schedule = self.schedules[name]
        return torch.is_grad_enabled() and any(weight_at(schedule, progress) > 0 for progress in (0.0, 1.0))

    def weighted(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name; those whose weight is 0 at this ``progress`` are left out."""
        opacity = rendering.opacity
        penalties = {
            "orient": lambda: regularisers.orientation(rendering.penalties["orient"], opacity),
            "sparsity": lambda: regularisers.sparsity(opacity),
            "opaque": lambda: regularisers.opaque(opacity),
            "z_variance": lambda: regularisers.z_variance(rendering.penalties["z_variance"], opacity),
            "convex": lambda: regularisers.convexity(_normals(rendering), opacity),
        }
        now = {name: weight_at(schedule, progress) for name, schedule in self.schedules.items()}
        return {name: weight * penalties[name]() for name, weight in now.items() if weight > 0}


def _normals(rendering: Rendering) -> Tensor:
    if rendering.normals is None:
        raise ValueError("a rendering without normals has no convexity: render with_normals, or with gradients on")
    return rendering.normals

"""The penalties of a scene with a surface, with their weights."""

from __future__ import annotations

from dataclasses import dataclass, fields

from torch import Tensor

from methods.contracts import Rendering
from methods.scenes.nerf import regularisers
from methods.scenes.sparsity import sparsity
from methods.weight_schedule import WeightSchedule, require_schedule, weight_at


@dataclass(frozen=True)
class PenaltyWeights:
    """Weights of the penalties over an optimisation, each a number or ``[from, start, end, until]`` in progress.

    They are relative to the method's update or absolute, according to the study's key ``penalties``.

    Raises:
        ValueError: If a schedule is malformed or negative.
    """

    orient: WeightSchedule = 0.0
    """Weight of normals that face away from the camera; if it is not 0, a training render costs about twice as much."""
    sparsity: WeightSchedule = 0.0
    """Weight of the opacity."""
    opaque: WeightSchedule = 0.0
    """Weight of opacities between 0 and 1."""
    z_variance: WeightSchedule = 0.0
    """Weight of the variance of depth along a ray."""
    convex: WeightSchedule = 0.0
    """Weight of the convexity penalty, which costs as much as the orientation penalty."""

    def __post_init__(self) -> None:
        for field in fields(self):
            require_schedule(field.name, getattr(self, field.name))

    def uses(self, name: str) -> bool:
        """Whether the penalty has a weight at any time."""
        schedule: WeightSchedule = getattr(self, name)
        return any(weight_at(schedule, progress) > 0 for progress in (0.0, 1.0))

    def weighted(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name; those whose weight is 0 at this ``progress`` are left out."""
        opacity = rendering.opacity
        penalties = {
            "orient": lambda: regularisers.orientation(rendering.penalties["orient"], opacity),
            "sparsity": lambda: sparsity(opacity),
            "opaque": lambda: regularisers.opaque(opacity),
            "z_variance": lambda: regularisers.z_variance(rendering.penalties["z_variance"], opacity),
            "convex": lambda: regularisers.convexity(_normals(rendering), opacity),
        }
        now = {name: weight_at(getattr(self, name), progress) for name in penalties}
        return {name: weight * penalties[name]() for name, weight in now.items() if weight > 0}


def _normals(rendering: Rendering) -> Tensor:
    if rendering.normals is None:
        raise ValueError("a rendering without normals has no convexity: render with training = True")
    return rendering.normals

"""The penalties of a scene of Gaussians, with their weights."""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from methods.contracts import Rendering
from methods.scenes.sparsity import sparsity
from methods.weight_schedule import WeightSchedule, require_schedule, weight_at

#: Distance of what is behind a scene, world units, and opacity from which a pixel counts as solid (LucidDreamer).
_BEHIND, _SOLID = 10.0, 0.9


@dataclass(frozen=True)
class GaussianPenalties:
    """Weights of the penalties over an optimisation, each a number or ``[from, start, end, until]`` in progress.

    They are relative to the method's update or absolute, according to the study's key ``penalties``.  LucidDreamer's
    (2ecf093, ``train.py``) are absolute and next to an update that is summed over the views of a step: divided by the
    number of views they are next to one that is the mean.

    Raises:
        ValueError: If a schedule is malformed or negative.
    """

    tv_rgb: WeightSchedule = 0.0
    """Weight of the total variation of the colours (LucidDreamer's ``lambda_tv``: 1)."""
    tv_depth: WeightSchedule = 0.0
    """Weight of the total variation of the inverse depth in [0, 1] (LucidDreamer's ``lambda_tv``: 1)."""
    scale: WeightSchedule = 0.0
    """Weight of the mean standard deviation of the Gaussians, per world unit (LucidDreamer's ``lambda_scale``: 1)."""
    sparsity: WeightSchedule = 0.0
    """Weight of the opacity of the images, as for the NeRF."""

    def __post_init__(self) -> None:
        for field in fields(self):
            require_schedule(field.name, getattr(self, field.name))

    def weighted(self, rendering: Rendering, scales: Tensor, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name; those whose weight is 0 at this ``progress`` are left out.

        Args:
            rendering: Of the optimisation.
            scales: ``(n 3)``, standard deviations, world units.
            progress: In [0, 1].
        """
        penalties = {
            "tv_rgb": lambda: total_variation(_rgb(rendering)),
            "tv_depth": lambda: total_variation(inverse_depth(_depth(rendering), rendering.opacity)),
            "scale": lambda: scales.sum() / max(scales.numel(), 1),
            "sparsity": lambda: sparsity(rendering.opacity),
        }
        now = {name: weight_at(getattr(self, name), progress) for name in penalties}
        return {name: weight * penalties[name]() for name, weight in now.items() if weight > 0}


def total_variation(images: Tensor) -> Tensor:
    """Twice the sum of the mean squared differences of neighbours down and across ``(b c h w)``.

    ``tv_loss`` of LucidDreamer's ``utils/loss_utils.py`` (2ecf093).
    """
    down, across = images.diff(dim=2), images.diff(dim=3)
    return 2 * (down.square().mean() + across.square().mean())


def inverse_depth(depth: Tensor, opacity: Tensor) -> Tensor:
    """Inverse depth ``(b 1 h w)`` from 0, the least where a view is solid, to 1, the greatest of the view.

    What LucidDreamer's ``gaussian_renderer`` (2ecf093) returns as depth, if its ``alpha`` is the light that passes,
    which then ends 10 units away: read as the opacity, the object would have no depth at all.  Here the distance along
    the ray takes the place of that along the line of sight, and a view without anything is 0.

    Args:
        depth: ``(b 1 h w)``, distance along the ray.
        opacity: ``(b 1 h w)``.
    """
    inverse = 1 / (depth * opacity + _BEHIND * (1 - opacity) + 1e-5)
    least = torch.where(opacity >= _SOLID, inverse, torch.inf).amin(dim=(2, 3), keepdim=True)
    least = torch.where(least.isfinite(), least, inverse.amin(dim=(2, 3), keepdim=True))
    span = inverse.amax(dim=(2, 3), keepdim=True) - least
    shown = (inverse - least) / torch.where(span > 0, span, 1.0)
    return torch.where(span > 0, shown.clamp(0, 1), 0.0)


def _rgb(rendering: Rendering) -> Tensor:
    if rendering.rgb is None:
        raise ValueError("a rendering of latents has no colours")
    return rendering.rgb


def _depth(rendering: Rendering) -> Tensor:
    if rendering.depth is None:
        raise ValueError("a rendering without depth has no total variation of it")
    return rendering.depth

"""Timesteps that fall along a line with corners."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.diffusion.schedules import schedules
from methods.settings import require


@schedules.register("polyline")
@dataclass(frozen=True)
class Polyline(TimestepSchedule):
    """t is linear between corners, the same for all views (CFD, arXiv 2501.05445, by default).

    t is rounded to the nearest timestep, as in the code of CFD.

    Raises:
        ValueError: If the corners do not rise from progress 0 to 1, or a t is not in [0, 1].
    """

    corners: tuple[tuple[float, float], ...] = ((0.0, 0.98), (0.1, 0.692), (0.5, 0.404), (1.0, 0.212))
    """Progress and t as a fraction of T.  The default is 0, 0.3, 0.6 and 0.8 of the way from 0.98 to 0.02 at the steps
    0, 2500, 12 500 and 25 000 (``linear_anneal_max`` of ``configs/cfd/sd-stage1.yaml``, ec2e289)."""

    def __post_init__(self) -> None:
        at = [progress for progress, _ in self.corners]
        rising = len(at) >= 2 and at[0] == 0 and at[-1] == 1 and all(a < b for a, b in pairwise(at))
        require(rising, "corners", at, "progress that rises from 0 to 1, corner by corner")
        for _, fraction in self.corners:
            require(0 <= fraction <= 1, "corners", fraction, "a fraction of T in [0, 1]")

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """The same timestep for all views."""
        (start, first), (end, last) = next(pair for pair in pairwise(self.corners) if progress <= pair[1][0])
        fraction = first + (last - first) * (progress - start) / (end - start)
        steps = len(prior.alphas_cumprod)
        return torch.full((count,), min(round(fraction * steps), steps - 1))

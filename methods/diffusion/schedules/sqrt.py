"""Timesteps that fall with a square root."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.diffusion.schedules import require_range, schedules, timestep_index


@schedules.register("sqrt")
@dataclass(frozen=True)
class SquareRoot(TimestepSchedule):
    """t falls from ``high`` to ``low`` with the square root of progress (section 4.2 of HiFA, arXiv 2305.18766).

    Raises:
        ValueError: If the bounds are not increasing fractions.
    """

    low: float = 0.3
    """Last t, as a fraction of T (threestudio's ``hifa.yaml``)."""
    high: float = 0.98
    """First t, as a fraction of T (threestudio's ``hifa.yaml``)."""

    def __post_init__(self) -> None:
        require_range("low, high", self.low, self.high)

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """The same timestep for all views."""
        return torch.full((count,), timestep_index(prior, self.high - (self.high - self.low) * progress**0.5))

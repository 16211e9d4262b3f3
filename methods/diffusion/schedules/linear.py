"""Timesteps that fall linearly."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.diffusion.schedules import require_range, schedules, timestep_index


@schedules.register("linear")
@dataclass(frozen=True)
class Linear(TimestepSchedule):
    """t falls linearly from ``high`` to ``low`` over the optimisation (appendix A.3 of SDI, arXiv 2405.15891).

    Raises:
        ValueError: If the bounds are not increasing fractions.
    """

    low: float = 0.2
    """Last t, as a fraction of T."""
    high: float = 1.0
    """First t, as a fraction of T."""

    def __post_init__(self) -> None:
        require_range("low, high", self.low, self.high)

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """The same timestep for all views."""
        return torch.full((count,), timestep_index(prior, self.high - progress * (self.high - self.low)))

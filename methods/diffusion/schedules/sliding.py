"""Timesteps drawn from a range whose two ends fall."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.diffusion.schedules import draw_timesteps, require_range, schedules


@schedules.register("sliding")
@dataclass(frozen=True)
class Sliding(TimestepSchedule):
    """t is drawn uniformly from a range that moves linearly over the optimisation (ScaleDreamer, arXiv 2407.02040).

    Raises:
        ValueError: If the bounds are not increasing fractions.
    """

    low: float = 0.02
    """Smallest t at the end, as a fraction of T."""
    high: float = 0.5
    """Largest t at the end, as a fraction of T."""
    first_low: float = 0.5
    """Smallest t at the start, as a fraction of T."""
    first_high: float = 0.98
    """Largest t at the start, as a fraction of T."""

    def __post_init__(self) -> None:
        require_range("low, high", self.low, self.high)
        require_range("first_low, first_high", self.first_low, self.first_high)

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """A timestep for each view."""
        low = self.first_low + (self.low - self.first_low) * progress
        high = self.first_high + (self.high - self.first_high) * progress
        return draw_timesteps(prior, low, high, count, generator)

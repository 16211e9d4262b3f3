"""Timesteps drawn uniformly from one range."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.diffusion.schedules import draw_timesteps, require_range, schedules


@schedules.register("uniform")
@dataclass(frozen=True)
class Uniform(TimestepSchedule):
    """t ~ U(low·T, high·T), for each view (section 3 of DreamFusion, arXiv 2209.14988).

    Raises:
        ValueError: If the bounds are not increasing fractions.
    """

    low: float = 0.02
    """Smallest t, as a fraction of T."""
    high: float = 0.98
    """Largest t, as a fraction of T."""

    def __post_init__(self) -> None:
        require_range("low, high", self.low, self.high)

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """A timestep for each view."""
        return draw_timesteps(prior, self.low, self.high, count, generator)

"""Timesteps drawn from a range that shrinks at the start."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.diffusion.schedules import draw_timesteps, require_range, schedules


@schedules.register("warm_up")
@dataclass(frozen=True)
class WarmUp(TimestepSchedule):
    """t ~ U(low·T, h·T), h falling linearly from ``first_high`` to ``high`` (LucidDreamer, arXiv 2311.11284).

    Raises:
        ValueError: If the bounds are not increasing fractions.
    """

    low: float = 0.02
    """Smallest t, as a fraction of T."""
    high: float = 0.5
    """Largest t after the warm-up, as a fraction of T."""
    first_high: float = 0.98
    """Largest t at the start, as a fraction of T."""
    share: float = 0.3
    """Share of the optimisation over which the largest t falls (1500 of 5000 steps)."""

    def __post_init__(self) -> None:
        require_range("low, high", self.low, self.high)
        require_range("low, first_high", self.low, self.first_high)

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """A timestep for each view."""
        high = self.high + warm_up_left(progress, self.share) * (self.first_high - self.high)
        return draw_timesteps(prior, self.low, high, count, generator)


def warm_up_left(progress: float, share: float) -> float:
    """The part of a warm-up still to come: 1 at the start, 0 after the first ``share`` of the optimisation."""
    return max(0.0, 1.0 - progress / share) if share > 0 else 0.0

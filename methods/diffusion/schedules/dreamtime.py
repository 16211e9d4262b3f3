"""Timesteps that fall fast where an image has little to gain, and slowly where it gets its content."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.diffusion.schedules import require_range, schedules, timestep_index
from methods.settings import require


@schedules.register("dreamtime")
@dataclass(frozen=True)
class DreamTime(TimestepSchedule):
    """t falls so that the time spent above it is its share of a weight W(t) (DreamTime, arXiv 2306.12422).

    W is 1 on a plateau and half of a Gaussian on either side: exp(−(t − m₁)²/2s₁²) above it, exp(−(t − m₂)²/2s₂²)
    below.  This is the form of the paper's first version, its constants as two public ports have them; the later
    version's W, a noise level times one Gaussian, is not here.

    Raises:
        ValueError: If the bounds or the plateau are not increasing fractions, or a width is not positive.
    """

    low: float = 0.02
    """Smallest t, as a fraction of T."""
    high: float = 0.98
    """Largest t, as a fraction of T."""
    plateau: tuple[float, float] = (0.5, 0.8)
    """m₂ and m₁, between which W is 1, as fractions of T."""
    widths: tuple[float, float] = (0.1, 0.3)
    """s₂ and s₁, the Gaussians' standard deviations below and above the plateau, as fractions of T."""

    def __post_init__(self) -> None:
        require_range("low, high", self.low, self.high)
        require_range("plateau", *self.plateau)
        require(all(width > 0 for width in self.widths), "widths", self.widths, "two positive fractions of T")

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """The same timestep for all views."""
        first, last = timestep_index(prior, self.low), timestep_index(prior, self.high)
        t = torch.arange(last, first - 1, -1, dtype=torch.float64)
        fraction = t / len(prior.alphas_cumprod)
        (lower, upper), (below, above) = self.plateau, self.widths
        away = (lower - fraction).clamp_min(0) / below + (fraction - upper).clamp_min(0) / above
        spent = torch.cumsum(torch.exp(-0.5 * away.square()), dim=0)  # from the largest t down
        nearest = (spent / spent[-1] - progress).abs().argmin()
        return torch.full((count,), int(t[nearest]))

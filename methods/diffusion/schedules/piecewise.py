"""Timesteps drawn from ranges that change abruptly."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.diffusion.schedules import draw_timesteps, require_range, schedules
from methods.settings import require


@schedules.register("piecewise")
@dataclass(frozen=True)
class Piecewise(TimestepSchedule):
    """t is drawn uniformly from the range of the current piece (VSD's two stages, arXiv 2305.16213, by default).

    Raises:
        ValueError: If the pieces do not rise to progress 1, or a range is not two increasing fractions.
    """

    pieces: tuple[tuple[float, float, float], ...] = ((0.2, 0.02, 0.98), (1.0, 0.02, 0.5))
    """Progress up to which a piece holds, its smallest t and its largest t, as fractions of T."""

    def __post_init__(self) -> None:
        ends = [end for end, _, _ in self.pieces]
        rising = bool(ends) and ends[-1] == 1.0 and all(a < b for a, b in pairwise([0.0, *ends]))
        require(rising, "pieces", ends, "progress that rises from above 0 to 1, piece by piece")
        for _, low, high in self.pieces:
            require_range("pieces", low, high)

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """A timestep for each view."""
        low, high = next((low, high) for end, low, high in self.pieces if progress <= end)
        return draw_timesteps(prior, low, high, count, generator)

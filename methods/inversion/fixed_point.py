"""Fixed-point iteration on the equation that κ must solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Self

import torch
from torch import Tensor

from methods.contracts import InversionStrategy, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.inversion import strategies
from methods.inversion.random import draw_noise
from methods.settings import require


@strategies.register("fixed_point")
@dataclass(frozen=True)
class FixedPoint(InversionStrategy):
    """κ ← ε̂(α x + σ κ) from random noise (eq. 8 and section 5.2 of arXiv 2405.15891).

    Raises:
        ValueError: If ``iterations`` is not positive.
    """

    gamma: float = 7.5
    """Guidance scale of ε̂: the scale of the prediction whose fixed point is sought.  1 is ε_y, the prediction without
    guidance, and is not calibrated."""
    iterations: int = 10
    """Network evaluations (figure 9)."""

    guidance_fields: ClassVar = ("gamma",)

    def __post_init__(self) -> None:
        require(self.iterations >= 1, "iterations", self.iterations, "a positive number of iterations")

    def calibrated(self, prior: Prior) -> Self:
        """A copy with the prior's guidance scale, unless it has no guidance to calibrate (γ = 1)."""
        return self if self.gamma == 1.0 else super().calibrated(prior)

    @torch.no_grad()
    def __call__(
        self,
        view: View,
        timesteps: Tensor,
        *,
        prior: Prior,
        prompt: ViewPrompt,
        streams: Streams,
        state: State,
        until: Tensor | None = None,
    ) -> Tensor:
        """κ ``(b c lh lw)`` after ``iterations``; nothing makes the iteration converge."""
        clean, timesteps = view.clean, timesteps if until is None else until
        kappa = draw_noise(clean, streams["noise"])
        for _ in range(self.iterations):
            noisy = add_noise(prior, clean, kappa, timesteps)
            kappa = guided_prediction(prior, noisy, timesteps, prompt, self.gamma, inverting=True).noise
        return kappa

"""Fixed-point iteration on the equation that κ must solve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from methods.contracts import Prior, Streams, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.inversion import strategies
from methods.inversion.random import RandomNoise


@strategies.register("fixed_point")
@dataclass(frozen=True)
class FixedPoint:
    """κ ← ε̂(√ᾱ x + √(1−ᾱ) κ) from fresh noise (eq. 8 and section 5.2 of arXiv 2405.15891).

    Raises:
        ValueError: If ``iterations`` is not positive.
    """

    gamma: float = 7.5
    """Guidance scale of ε̂: the scale of the prediction whose fixed point is sought."""
    iterations: int = 10
    """Network evaluations (figure 9)."""

    def __post_init__(self) -> None:
        if self.iterations < 1:
            raise ValueError(f"iterations: {self.iterations} is not a positive number of iterations")

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale."""
        return replace(self, gamma=prior.guidance_scale)

    @torch.no_grad()
    def __call__(
        self, latents: Tensor, timesteps: Tensor, *, prior: Prior, prompt: ViewPrompt, streams: Streams
    ) -> Tensor:
        """κ ``(b c lh lw)`` after ``iterations``; nothing makes the iteration converge."""
        kappa = RandomNoise()(latents, timesteps, prior=prior, prompt=prompt, streams=streams)
        for _ in range(self.iterations):
            noisy = add_noise(prior, latents, kappa, timesteps)
            kappa = guided_prediction(
                prior,
                noisy,
                timesteps,
                positive=prompt.positive,
                base=prompt.null,
                scale=self.gamma,
                perpendicular=prompt.perpendicular,
            ).noise
        return kappa

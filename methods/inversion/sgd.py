"""Gradient descent on the error of the equation that κ must solve."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from methods.contracts import Prior, Streams, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.inversion import strategies
from methods.inversion.random import RandomNoise


@strategies.register("sgd")
@dataclass(frozen=True)
class GradientDescent:
    """κ ← κ − η ∇_κ ½‖ε̂(√ᾱ x + √(1−ᾱ) κ) − κ‖² from fresh noise (eq. 8 and figure 9 of arXiv 2405.15891).

    The gradient goes through the network.

    Raises:
        ValueError: If ``iterations`` or ``step_size`` is not positive.
    """

    gamma: float = 7.5
    """Guidance scale of ε̂: the scale of the prediction whose fixed point is sought."""
    iterations: int = 10
    """Descent steps, a network evaluation each (figure 9)."""
    step_size: float = 0.1
    """η; the paper does not tell its own."""

    def __post_init__(self) -> None:
        for name in ("iterations", "step_size"):
            if getattr(self, name) <= 0:
                raise ValueError(f"{name}: {getattr(self, name)} is not a positive number")

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale."""
        return replace(self, gamma=prior.guidance_scale)

    @torch.enable_grad()
    def __call__(
        self, latents: Tensor, timesteps: Tensor, *, prior: Prior, prompt: ViewPrompt, streams: Streams
    ) -> Tensor:
        """κ ``(b c lh lw)`` after ``iterations``."""
        kappa = RandomNoise()(latents, timesteps, prior=prior, prompt=prompt, streams=streams)
        clean = latents.detach()
        for _ in range(self.iterations):
            kappa = kappa.detach().requires_grad_()
            noisy = add_noise(prior, clean, kappa, timesteps)
            noise = guided_prediction(
                prior,
                noisy,
                timesteps,
                positive=prompt.positive,
                base=prompt.null,
                scale=self.gamma,
                perpendicular=prompt.perpendicular,
            ).noise
            (gradient,) = torch.autograd.grad(0.5 * (noise - kappa).square().sum(), kappa)
            kappa = kappa - self.step_size * gradient
        return kappa.detach()

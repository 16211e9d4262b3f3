"""Gradient descent on the error of the equation that κ must solve."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.contracts import InversionStrategy, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.inversion import strategies
from methods.inversion.random import draw_noise
from methods.settings import require


@strategies.register("sgd")
@dataclass(frozen=True)
class GradientDescent(InversionStrategy):
    """κ ← κ − η ∇_κ ½‖ε̂(α x + σ κ) − κ‖² from random noise (eq. 8 and figure 9 of arXiv 2405.15891).

    The gradient goes through the network.

    Raises:
        ValueError: If ``iterations`` or ``step_size`` is not positive.
    """

    gamma: float = 7.5
    """Guidance scale of ε̂: the scale of the prediction whose fixed point is sought."""
    iterations: int = 10
    """Descent steps, with one network evaluation each (figure 9)."""
    step_size: float = 0.1
    """η; the paper gives no value."""

    guidance_fields: ClassVar = ("gamma",)

    def __post_init__(self) -> None:
        for name in ("iterations", "step_size"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")

    @torch.enable_grad()
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
        """κ ``(b c lh lw)`` after ``iterations``."""
        clean, timesteps = view.clean, timesteps if until is None else until
        kappa = draw_noise(clean, streams["noise"])
        for _ in range(self.iterations):
            kappa = kappa.detach().requires_grad_()
            noisy = add_noise(prior, clean, kappa, timesteps)
            noise = guided_prediction(prior, noisy, timesteps, prompt, self.gamma, inverting=True).noise
            (gradient,) = torch.autograd.grad(0.5 * (noise - kappa).square().sum(), kappa)
            kappa = kappa - self.step_size * gradient
        return kappa.detach()

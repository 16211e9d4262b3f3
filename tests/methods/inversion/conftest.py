"""Inversion with a known solution: the closed-form prior in double precision."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.contracts import Rendering, View, ViewPrompt
from methods.priors.closed_form.gaussian import GaussianPrior

SCALE = 3.0


@dataclass
class Exact:
    """For images ~ N(m, d²) the guided prediction is affine in κ: ε̂(κ) = κ* + L·(κ − κ*).

    L = (1 − ᾱ)/(ᾱ d² + 1 − ᾱ) < 1, and κ* = √(1 − ᾱ)(x − s·m)/(√ᾱ d²) solves eq. 8 of arXiv 2405.15891.
    """

    prior: GaussianPrior
    prompt: ViewPrompt
    image: torch.Tensor
    scale: float = SCALE

    def slope(self, t: torch.Tensor) -> torch.Tensor:
        alpha = self.prior.alphas_cumprod[t][:, None, None, None]
        return (1 - alpha) / (alpha * self.prior.deviation**2 + 1 - alpha)

    def kappa(self, t: torch.Tensor) -> torch.Tensor:
        alpha = self.prior.alphas_cumprod[t][:, None, None, None]
        mean = self.scale * self.prompt.positive.sequence.double()[:, 0, :, None, None]  # the empty prompt's mean is 0
        return ((1 - alpha) / alpha).sqrt() * (self.image - mean) / self.prior.deviation**2

    def predict(self, kappa: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        """ε̂ at √ᾱ x + √(1−ᾱ) κ, with guidance written out."""
        alpha = self.prior.alphas_cumprod[t][:, None, None, None]
        noisy = alpha.sqrt() * self.image + (1 - alpha).sqrt() * kappa
        null = self.prior.predict_noise(noisy, t, self.prompt.null)
        return null + self.scale * (self.prior.predict_noise(noisy, t, self.prompt.positive) - null)


@pytest.fixture(scope="session")
def infer() -> Callable[..., torch.Tensor]:
    """κ of clean latents by a strategy that keeps no state."""

    def infer(strategy, latents, timesteps, *, until=None, prior, prompt, streams):
        blank = torch.ones(len(latents), 1, 1, 1)
        view = View(Rendering(None, blank, blank, latents=latents), evaluation_ring(len(latents)), prior)
        state = strategy.start(prior)
        return strategy(view, timesteps, until=until, prior=prior, prompt=prompt, streams=streams, state=state)

    return infer


@pytest.fixture
def exact() -> Exact:
    prior = GaussianPrior(clip_target=None)
    prior.alphas_cumprod = prior.alphas_cumprod.double()
    texts = (["a red car", "a blue duck"], ["", ""], ["bad", "bad"])
    prompt = ViewPrompt(*(prior.embed(words) for words in texts))
    image = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2 - 1
    return Exact(prior, prompt, image)

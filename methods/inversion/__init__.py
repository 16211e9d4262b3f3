"""Inference of the noise κ that clean latents came from, one strategy per file.

A strategy is called with a view and its timesteps and returns κ such that α_t x + σ_t κ is the x_t that the method
evaluates the prior at.  Every method that adds noise has a field ``inversion`` that takes any of them; SDS is SDI with
a κ that is sampled again in each step.
"""

from __future__ import annotations

from torch import Tensor

from methods.contracts import InversionStrategy, Prior
from methods.diffusion.guidance import levels
from methods.registry import Registry

strategies: Registry[type[InversionStrategy]] = Registry(
    "inversion strategy", "methods.inversion", base=InversionStrategy
)


def fixed_point_error(prior: Prior, prediction: Tensor, kappa: Tensor, timesteps: Tensor) -> Tensor:
    """The error of κ in eq. 8 of arXiv 2405.15891, ε̂(α x + σ κ) = κ, expressed as an error of the clean image.

    The mean of (σ/α)²·(ε̂ − κ)², a scalar without a gradient: noise itself means little where ᾱ is near 1 (figure 9).

    Args:
        prior: The diffusion prior.
        prediction: ε̂, the guided prediction at the x_t that κ makes, ``(b c lh lw)``.
        kappa: κ, ``(b c lh lw)``.
        timesteps: t, ``(b,)``.
    """
    alpha, sigma = levels(prior, timesteps)
    return (sigma / alpha * (prediction - kappa)).square().mean().detach()

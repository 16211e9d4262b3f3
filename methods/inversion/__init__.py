"""How the noise κ that a clean picture came from is inferred.

A strategy is a frozen dataclass called with clean latents ``(b c lh lw)`` and a timestep; it returns κ of the
same shape, such that √ᾱ x + √(1−ᾱ) κ is the noisy picture the method goes on from.  Every method that adds
noise has a field ``inversion`` that takes any of them; SDS is SDI whose κ is sampled anew.
"""

from __future__ import annotations

from typing import Protocol, Self

from torch import Tensor

from methods.contracts import Prior, Streams, ViewPrompt
from methods.diffusion.guidance import levels
from methods.registry import Registry


class InversionStrategy(Protocol):
    """Infers the noise of a picture."""

    def calibrated(self, prior: Prior) -> Self:
        """The same strategy with its guidance scale taken from the prior's card."""
        ...

    def __call__(
        self, latents: Tensor, timesteps: Tensor, *, prior: Prior, prompt: ViewPrompt, streams: Streams
    ) -> Tensor:
        """κ ``(b c lh lw)`` for clean ``latents`` at ``timesteps`` ``(b,)``, on the host; no gradient flows."""
        ...


strategies: Registry[type[InversionStrategy]] = Registry(
    "inversion strategy", "methods.inversion", base=InversionStrategy
)


def fixed_point_error(prior: Prior, noise: Tensor, kappa: Tensor, timesteps: Tensor) -> Tensor:
    """How far κ is from solving eq. 8 of arXiv 2405.15891, ε̂(√ᾱ x + √(1−ᾱ) κ) = κ, told as a clean picture.

    The mean of σ(t)²·(ε̂ − κ)² with σ = √((1−ᾱ)/ᾱ), since noise itself means little where ᾱ is near 1 (figure 9).

    Args:
        prior: The diffusion prior.
        noise: ε̂, the guided prediction at the noisy picture that κ makes, ``(b c lh lw)``.
        kappa: κ, ``(b c lh lw)``.
        timesteps: t, ``(b,)``.
    """
    signal, spread = levels(prior, timesteps)
    return (spread / signal * (noise - kappa)).square().mean().detach()

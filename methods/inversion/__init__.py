"""How the noise κ that a clean picture came from is inferred.

A strategy is a frozen dataclass called with clean latents ``(b c lh lw)`` and a timestep; it returns κ of the
same shape, such that √ᾱ x + √(1−ᾱ) κ is the noisy picture the method goes on from.
"""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from methods.contracts import Prior, Streams, ViewPrompt
from methods.registry import Registry


class InversionStrategy(Protocol):
    """Infers the noise of a picture."""

    def __call__(
        self, latents: Tensor, timesteps: Tensor, *, prior: Prior, prompt: ViewPrompt, streams: Streams
    ) -> Tensor:
        """κ ``(b c lh lw)`` for clean ``latents`` at ``timesteps`` ``(b,)``; no gradient flows."""
        ...


strategies: Registry[type[InversionStrategy]] = Registry("inversion strategy", "methods.inversion")

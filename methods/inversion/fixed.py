"""One noise for the whole optimisation."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from methods.contracts import Prior, Streams, ViewPrompt
from methods.inversion import strategies
from methods.transfer import to_device


@strategies.register("fixed")
@dataclass(frozen=True)
class FixedNoise:
    """κ ~ N(0, I), drawn once and kept for all steps and views (figure 9 of arXiv 2405.15891)."""

    def calibrated(self, prior: Prior) -> Self:
        """Noise has no scale."""
        return self

    def __call__(
        self, latents: Tensor, timesteps: Tensor, *, prior: Prior, prompt: ViewPrompt, streams: Streams
    ) -> Tensor:
        """The first noise ``(b c lh lw)`` of the ``noise`` stream, whatever has been drawn from it since."""
        noise = streams["noise"]
        first = torch.Generator(noise.device).manual_seed(noise.initial_seed())
        one = to_device(torch.randn(latents.shape[1:], generator=first, device=noise.device), latents)
        return one.expand_as(latents)

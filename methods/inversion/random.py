"""Noise sampled anew each time: what SDS does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from methods.contracts import Prior, Streams, ViewPrompt
from methods.inversion import strategies
from methods.transfer import to_device


@strategies.register("random")
@dataclass(frozen=True)
class RandomNoise:
    """κ ~ N(0, I), independent of the picture (section 4.1 of arXiv 2405.15891)."""

    def calibrated(self, prior: Prior) -> Self:
        """Noise has no scale."""
        return self

    def __call__(
        self, latents: Tensor, timesteps: Tensor, *, prior: Prior, prompt: ViewPrompt, streams: Streams
    ) -> Tensor:
        """Fresh noise ``(b c lh lw)`` from the ``noise`` stream."""
        noise = streams["noise"]
        return to_device(torch.randn(latents.shape, generator=noise, device=noise.device), latents)

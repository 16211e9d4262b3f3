"""One noise for the whole optimisation."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import InversionStrategy, Prior, State, Streams, View, ViewPrompt
from methods.inversion import strategies
from methods.transfer import to_device


@strategies.register("fixed")
@dataclass(frozen=True)
class FixedNoise(InversionStrategy):
    """κ ~ N(0, I), drawn once and used in all steps and views (figure 9 of arXiv 2405.15891)."""

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
        """The first noise ``(b c lh lw)`` of the ``noise`` stream, whatever has been drawn from it since."""
        latents, noise = view.clean, streams["noise"]
        first = torch.Generator(noise.device).manual_seed(noise.initial_seed())
        one = to_device(torch.randn(latents.shape[1:], generator=first, device=noise.device), latents)
        return one.expand_as(latents)

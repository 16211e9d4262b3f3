"""Noise sampled again in each step, as SDS does."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import InversionStrategy, Prior, State, Streams, View, ViewPrompt
from methods.inversion import strategies
from methods.transfer import to_device


@strategies.register("random")
@dataclass(frozen=True)
class RandomNoise(InversionStrategy):
    """κ ~ N(0, I), independent of the image (section 4.1 of arXiv 2405.15891)."""

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
        """Noise ``(b c lh lw)`` from the ``noise`` stream."""
        return draw_noise(view.clean, streams["noise"])


def draw_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """Standard normal noise of the shape, precision and device of ``like``, drawn where ``generator`` is."""
    return to_device(torch.randn(like.shape, generator=generator, device=generator.device), like)

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
        return first_noise(view.clean, streams["noise"])


def first_noise(like: Tensor, generator: torch.Generator) -> Tensor:
    """One standard normal noise for all views of a run, the first of the stream ``generator``.

    It has the shape, precision and device of ``like`` ``(b c lh lw)``, and does not move the stream on.
    """
    first = torch.Generator(generator.device).manual_seed(generator.initial_seed())
    one = torch.randn(like.shape[1:], generator=first, device=generator.device)
    return to_device(one, like).expand_as(like)

"""A prior whose encoder and network are timed as the parts of a step that they are."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from bench.watch.step_clock import StepClock
from methods.conditioning import Conditioning
from methods.contracts import AdaptedPrior, Prior


def timed(prior: Prior, clock: StepClock) -> Prior:
    """``prior``, which puts the time of its encoder, its network and its adapted copies' down to ``clock``."""
    return cast("Prior", _TimedPrior(prior, clock))


class _TimedPrior:
    """In everything that it does not time, the prior itself."""

    def __init__(self, prior: Prior, clock: StepClock) -> None:
        self._prior = prior
        self._clock = clock

    def __getattr__(self, name: str) -> Any:
        return getattr(self._prior, name)

    def encode(self, rgb: Tensor) -> Tensor:
        with self._clock.part("encode"):
            return self._prior.encode(rgb)

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        with self._clock.part("unet"):
            return self._prior.predict_noise(latents, timesteps, conditioning)

    def adapted(self, rank: int, generator: torch.Generator) -> AdaptedPrior:
        return _TimedAdaptedPrior(self._prior.adapted(rank, generator), self._clock)


class _TimedAdaptedPrior:
    def __init__(self, adapted: AdaptedPrior, clock: StepClock) -> None:
        self._adapted = adapted
        self._clock = clock

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        return self._adapted.parameters()

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, cameras: Tensor) -> Tensor:
        with self._clock.part("unet"):
            return self._adapted.predict_noise(latents, timesteps, conditioning, cameras)

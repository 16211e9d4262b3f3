"""A null prompt that is learnt: the conditioning under which a prior denoises the renders best."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.contracts import Prior


class LearntNull:
    """A prior that is asked under one trained conditioning, whatever it is given; at first that of no prompt.

    It is an adapted prior (``AdaptedPrior``) in which only the sequence ``(1 n d)`` is trained, and it sees no camera.
    What else the conditioning has, a pooled vector or ids, stays that of no prompt.

    Args:
        prior: The prior, which is not changed; its calls are counted.
    """

    def __init__(self, prior: Prior) -> None:
        self._prior = prior
        self.null = torch.nn.Parameter(prior.null(1).sequence.detach().clone())

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """The sequence ``(1 n d)``."""
        return {"null": self.null}

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, cameras: Tensor) -> Tensor:
        """The prior's noise in ``latents`` ``(b c lh lw)`` under the learnt conditioning."""
        rows = self._prior.null(len(latents))
        learnt = replace(rows, sequence=self.null.expand(len(latents), -1, -1))
        return self._prior.predict_noise(latents, timesteps, learnt)

"""A closed-form prior whose images are moved by a learnt colour: the exact counterpart of a LoRA."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.contracts import Prior
from methods.diffusion.guidance import levels

#: Numbers in a camera-to-world matrix.
_CAMERA = 16


class TranslatedPrior:
    """If x ~ p has the noise prediction ε(x_t), then x + d has ε(x_t − √ᾱ d), whatever p is.

    d = W·camera + b is a colour for each camera, zero at first, so that the copy is the prior.

    Args:
        prior: A prior whose ``predict_noise`` lets gradients through to the latents; its calls are counted.
        channels: Channels of the latents.
    """

    def __init__(self, prior: Prior, channels: int = 3) -> None:
        self._prior = prior
        self.turn = torch.nn.Parameter(torch.zeros(channels, _CAMERA))
        self.shift = torch.nn.Parameter(torch.zeros(channels))

    def parameters(self) -> dict[str, torch.nn.Parameter]:
        """W ``(c 16)`` and b ``(c,)``."""
        return {"turn": self.turn, "shift": self.shift}

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning, cameras: Tensor) -> Tensor:
        """The exact noise in ``latents`` ``(b c lh lw)`` of the moved images; ``cameras`` is ``(b 16)``."""
        moved = cameras.to(latents) @ self.turn.T.to(latents) + self.shift.to(latents)
        alpha, _ = levels(self._prior, timesteps)
        return self._prior.predict_noise(latents - alpha * moved[:, :, None, None], timesteps, conditioning)

"""A prior whose noise prediction is known in closed form: images drawn from a Gaussian around a colour.

For x ~ N(m, s²) the exact prediction is ε = √(1−ᾱ)·(x_t − √ᾱ m) / (ᾱ s² + 1 − ᾱ).  The mean m is a colour
derived from the text.  Methods are proved against it, and the harness is tested with it in milliseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.diffusion.noise_levels import scaled_linear_levels
from methods.pixels import clamp_finite
from methods.priors.closed_form.translated import TranslatedPrior


class GaussianPrior:
    """The closed-form prior.  Latents are the images themselves, scaled to [−1, 1]: ``(b 3 16 16)``."""

    guidance_scale = 2.0
    negative_prompt = "grey"
    resolution = 16
    latent_shape = (3, 16, 16)
    weights_sha256 = "none"
    device = torch.device("cpu")

    def __init__(self, *, deviation: float = 0.3, clip_target: float | None = 1.0) -> None:
        self.deviation = deviation  # s, in latent units
        self.clip_target = clip_target
        self.alphas_cumprod = scaled_linear_levels().float()
        self.calls = 0
        self.rows = 0

    def encode(self, rgb: Tensor) -> Tensor:
        """``(b 3 h w)`` in [0, 1] to ``(b 3 16 16)`` in [−1, 1]."""
        size = (self.resolution, self.resolution)
        return 2 * torch.nn.functional.interpolate(rgb, size, mode="bilinear", antialias=True) - 1

    def decode(self, latents: Tensor) -> Tensor:
        """``(b 3 16 16)`` to colours in [0, 1], or NaN where they are not finite."""
        return clamp_finite((latents + 1) / 2)

    def embed(self, texts: Sequence[str]) -> Conditioning:
        """``(b 1 3)``: the mean colour m of each text, in [−1, 1]; mid-grey for the empty text."""
        means = []
        for text in texts:
            digest = hashlib.sha256(text.split(",")[0].encode()).digest()
            means.append([value / 127.5 - 1 for value in digest[:3]] if text else [0.0, 0.0, 0.0])
        return Conditioning(torch.tensor(means)[:, None])

    def null(self, count: int) -> Conditioning:
        """The conditioning of the empty text, in ``count`` rows."""
        return self.embed([""] * count)

    def bound(self, latents: Tensor, *, inverting: bool = False) -> Tensor:
        """Clamped to ± ``clip_target``, or unchanged if that is None."""
        return latents if self.clip_target is None else clamp_finite(latents, -self.clip_target, self.clip_target)

    def predict_noise(self, latents: Tensor, timesteps: Tensor, conditioning: Conditioning) -> Tensor:
        """The exact posterior mean of the noise."""
        self.calls += 1
        self.rows += len(latents)
        alpha = self.alphas_cumprod[timesteps.clamp_min(0)][:, None, None, None].to(latents)
        mean = conditioning.sequence[:, 0, :, None, None].to(latents)
        return (1 - alpha).sqrt() * (latents - alpha.sqrt() * mean) / (alpha * self.deviation**2 + 1 - alpha)

    def adapted(self, rank: int, generator: torch.Generator) -> TranslatedPrior:
        """This prior with its images moved by a learnt colour, which starts at zero; ``rank`` has no effect."""
        return TranslatedPrior(self)

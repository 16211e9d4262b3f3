"""DDIM inversion: run the deterministic sampler backwards from the picture to the noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Self

import torch
from torch import Tensor

from methods.contracts import Perpendicular, Prior, Streams, ViewPrompt
from methods.diffusion.guidance import Prediction, guided_prediction, levels
from methods.inversion import strategies
from methods.transfer import to_device


@strategies.register("ddim")
@dataclass(frozen=True)
class DDIMInversion:
    """κ by DDIM inversion under the prompt (section 5.2, eq. 11 and Alg. 2 of arXiv 2405.15891).

    Raises:
        ValueError: If ``inversion_steps`` is not positive or ``eta`` is negative.
    """

    gamma_inv: float = -7.5
    """Guidance scale γ_inv of the inversion (appendix A.3)."""
    inversion_steps: int = 10
    """Steps that a whole inversion (to t = T) takes; one to time t takes int(steps · t), as the paper writes."""
    eta: float = 0.3
    """Noise put on the inverted latents, in units of √(1−ᾱ) (eq. 11)."""

    def __post_init__(self) -> None:
        if self.inversion_steps < 1:
            raise ValueError(f"inversion_steps: {self.inversion_steps} is not a positive number of steps")
        if self.eta < 0:
            raise ValueError(f"eta: {self.eta} is negative; it is a standard deviation")

    def calibrated(self, prior: Prior) -> Self:
        """With the negative of the prior's guidance scale, as in the paper (appendix A.3)."""
        return replace(self, gamma_inv=-prior.guidance_scale)

    def __call__(
        self, latents: Tensor, timesteps: Tensor, *, prior: Prior, prompt: ViewPrompt, streams: Streams
    ) -> Tensor:
        """Invert to ``timesteps`` ``(b,)`` and read κ off: κ = (x_t − √ᾱ_t x) / √(1−ᾱ_t) + η ε."""
        with torch.no_grad():
            timesteps = timesteps.cpu()  # where methods draw them
            count = max(1, int(self.inversion_steps * int(timesteps.max()) / len(prior.alphas_cumprod)))
            path = torch.arange(count + 1)[:, None] * timesteps // count
            noisy, _ = ddim_inversion(
                prior,
                latents,
                path,
                positive=prompt.positive,
                base=prompt.null,
                scale=self.gamma_inv,
                perpendicular=prompt.perpendicular,
            )
            signal, spread = levels(prior, timesteps)
            noise = streams["noise"]
            fresh = to_device(torch.randn(latents.shape, generator=noise, device=noise.device), latents)
            return (noisy - signal * latents) / spread + self.eta * fresh


@torch.no_grad()
def ddim_inversion(
    prior: Prior,
    latents: Tensor,
    path: Tensor,
    *,
    positive: Tensor,
    base: Tensor,
    scale: float,
    perpendicular: Perpendicular | None = None,
) -> tuple[Tensor, Prediction]:
    """Carry clean latents along ``path`` by inverse DDIM steps.

    x_{s'} = √ᾱ_{s'} x̂0(x_s) + √(1−ᾱ_{s'}) ε̂(x_s), the sampler's step with the times exchanged (Song et al.,
    arXiv 2010.02502, section 4.3).  The picture itself is taken as x at the path's first timestep, as
    diffusers' ``DDIMInverseScheduler`` does.

    Args:
        prior: The diffusion prior.
        latents: Clean latents ``(b c lh lw)``.
        path: At least two increasing timesteps ``(k b)``, the first of them near 0.
        positive: Conditioning ``(b n d)``.
        base: Null or negative conditioning ``(b n d)``.
        scale: Guidance scale of the inversion.
        perpendicular: Perp-Neg's negatives, if it is used.

    Returns:
        The latents at the path's last timestep, and the prediction at the one before it.
    """
    noisy = latents
    for now, then in pairwise(to_device(path, latents.device)):
        prediction = guided_prediction(
            prior, noisy, now, positive=positive, base=base, scale=scale, perpendicular=perpendicular
        )
        signal, spread = levels(prior, then)
        noisy = signal * prediction.target + spread * prediction.noise
    return noisy, prediction

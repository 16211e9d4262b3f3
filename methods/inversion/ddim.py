"""DDIM inversion: the deterministic sampler run backwards from the image to the noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from methods.contracts import InversionStrategy, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import levels
from methods.diffusion.sampling import Walked, ddim_walk
from methods.inversion import strategies
from methods.inversion.random import draw_noise
from methods.settings import require


@strategies.register("ddim")
@dataclass(frozen=True)
class DDIMInversion(InversionStrategy):
    """κ by DDIM inversion under the prompt (section 5.2, eq. 11 and Alg. 2 of arXiv 2405.15891).

    Raises:
        ValueError: If ``inversion_steps`` is not positive or ``eta`` is negative.
    """

    gamma_inv: float = -7.5
    """Guidance scale γ_inv of the inversion (appendix A.3)."""
    inversion_steps: int = 10
    """Steps of a whole inversion (to t = T); a view with the time t takes int(steps · t), as the paper writes."""
    eta: float = 0.3
    """Noise added to the inverted latents, in units of σ_t (eq. 11)."""

    def __post_init__(self) -> None:
        require(self.inversion_steps >= 1, "inversion_steps", self.inversion_steps, "a positive number of steps")
        require(self.eta >= 0, "eta", self.eta, "zero or a positive standard deviation")

    def calibrated(self, prior: Prior) -> Self:
        """A copy with the negative of the prior's guidance scale, as in the paper (appendix A.3)."""
        return replace(self, gamma_inv=-prior.guidance_scale)

    @torch.no_grad()
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
        """κ = (x_s − α_s x) / σ_s + η ε, with x_s from an inversion to s = ``until`` in int(steps · t) steps."""
        clean = view.clean
        timesteps = timesteps.cpu()  # where methods draw them
        until = timesteps if until is None else until.cpu()
        noisy = ddim_inversion(prior, clean, self._path(prior, timesteps, until), prompt, self.gamma_inv).noisy
        alpha, sigma = levels(prior, until)
        return (noisy - alpha * clean) / sigma + self.eta * draw_noise(clean, streams["noise"])

    def _path(self, prior: Prior, timesteps: Tensor, until: Tensor) -> Tensor:
        """The inversion's timesteps ``(k b)``: equal strides for each view, and then its last timestep again."""
        counts = (self.inversion_steps * timesteps // len(prior.alphas_cumprod)).clamp_min(1)
        return torch.minimum(torch.arange(int(counts.max()) + 1)[:, None], counts) * until // counts


def ddim_inversion(prior: Prior, latents: Tensor, path: Tensor, prompt: ViewPrompt, scale: float) -> Walked:
    """Carry clean latents along ``path`` by inverse DDIM steps.

    x_{s'} = α_{s'} x̂0(x_s) + σ_{s'} ε̂(x_s), the sampler's step with the times exchanged (Song et al.,
    arXiv 2010.02502, section 4.3).  The image itself is taken as x at the path's first timestep, as
    diffusers' ``DDIMInverseScheduler`` does.

    Args:
        prior: The diffusion prior.
        latents: Clean latents ``(b c lh lw)``.
        path: At least two rising timesteps ``(k b)``, the first of them near 0.  A view whose timestep does not change
            has arrived, and no row is evaluated for it.
        prompt: The conditioning.
        scale: Guidance scale of the inversion; 0 is an inversion without a prompt.
    """
    return ddim_walk(prior, latents, path, prompt, scale, inverting=True)

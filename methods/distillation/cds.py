"""CDS: Consistency Distillation Sampling (Consistent3D)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from methods.contracts import (
    Distillation,
    InversionStrategy,
    Method,
    Prior,
    State,
    Streams,
    TimestepSchedule,
    View,
    ViewPrompt,
)
from methods.diffusion.guidance import add_noise, guided_prediction, levels
from methods.diffusion.schedules import timestep_index
from methods.diffusion.schedules.sqrt import SquareRoot
from methods.distillation import methods, update_loss
from methods.inversion.fixed import FixedNoise
from methods.settings import require


@methods.register("cds")
@dataclass(frozen=True)
class CDS(Method):
    """∇ = ε̂(x_t) − ε̂(x_s), x_s < x_t being the next point of the sampler's path from x_t (arXiv 2401.09050).

    x_t is the render with one noise for the whole run and all views.  The path z = x + σ ε of the paper is
    that of x_t = z/√(1 + σ²), σ = √((1 − ᾱ)/ᾱ), and its Euler step is DDIM's.  Constants, and the sign, are those of
    sail-sg/Consistent3D@9118a5c, ``compute_grad_consistency`` and ``consistency-coarse.yaml``.

    Raises:
        ValueError: If ``gap`` is not an increasing pair of fractions.
    """

    guidance_scale: float = 101.0
    """s of both predictions at the first step; ``guidance_scale`` of 100 in the code's ε_y + s·(ε_y − ε_∅)."""
    last_guidance_scale: float = 51.0
    """s at the last step; calibration takes the prior's scale for both."""
    schedule: TimestepSchedule = SquareRoot(0.1, 0.7)
    """s, the earlier timestep, which falls with the square root of progress; ``cur_steps``, ``perturb_indices``."""
    gap: tuple[float, float] = (0.1, 0.3)
    """Range of t − s, as fractions of T, the second excluded; ``end_gap`` and ``perturb_factor``."""
    largest: float = 0.98
    """Largest t, as a fraction of T; ``max_sigma_percent``."""
    inversion: InversionStrategy = FixedNoise()
    """Source of the noise: one for all steps and views; ``share_noise``."""

    guidance_fields: ClassVar = ("guidance_scale", "last_guidance_scale")

    def __post_init__(self) -> None:
        is_right = 0.0 < self.gap[0] < self.gap[1] <= 1.0
        require(is_right, "gap", self.gap, "an increasing pair of fractions of T above 0")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; t − s is drawn for each view."""
        clean = view.clean
        scale = self.guidance_scale + (self.last_guidance_scale - self.guidance_scale) * progress
        earlier = self.schedule(prior, progress, len(clean), streams["timestep"])
        earlier, t = self._times(prior, earlier, streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        at_t = guided_prediction(prior, add_noise(prior, clean, noise, t), t, prompt, scale)
        alpha, sigma = levels(prior, earlier)
        nearer = alpha * at_t.target + sigma * at_t.noise
        at_s = guided_prediction(prior, nearer, earlier, prompt, scale)
        loss = update_loss(view.latents, at_t.noise - at_s.noise)
        return Distillation(loss, at_t.target, t, noise, at_t.noise)

    def _times(self, prior: Prior, earlier: Tensor, generator: torch.Generator) -> tuple[Tensor, Tensor]:
        """S and t of each view, ``(b,)``, t at most ``largest`` and s at least the smallest gap below it."""
        first, end = (timestep_index(prior, bound) for bound in self.gap)
        largest = timestep_index(prior, self.largest)
        gap = torch.randint(first, max(end, first + 1), earlier.shape, generator=generator, device=generator.device)
        earlier = earlier.clamp(0, largest - first)
        return earlier, (earlier + gap.to(earlier.device)).clamp_max(largest)

"""SDI: Score Distillation via Inversion, as the paper writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch

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
from methods.diffusion.guidance import add_noise
from methods.diffusion.sampling import denoise
from methods.diffusion.schedules.linear import Linear
from methods.distillation import methods, update_loss
from methods.inversion.ddim import DDIMInversion
from methods.settings import require


@methods.register("sdi")
@dataclass(frozen=True)
class SDI(Method):
    """∇ = σ(t)·(ε̂_y(√ᾱ_t x + √(1−ᾱ_t) κ) − κ) with κ from DDIM inversion (eq. 10 and 11, Alg. 2, arXiv 2405.15891).

    σ(t) = √((1−ᾱ_t)/ᾱ_t), so that the update is x − x̂0 exactly, x̂0 being the image that the guided
    prediction stands for.  κ is inferred at t + τ with τ ~ U(0, ``tau``) and used at t.

    Raises:
        ValueError: If ``tau`` is negative or ``denoise_steps`` is not positive.
    """

    gamma_fwd: float = 7.5
    """Guidance scale γ_fwd of the prediction (appendix A.3)."""
    inversion: InversionStrategy = DDIMInversion()
    """Source of κ: DDIM inversion with γ_inv = −7.5 in int(10·t) steps and noise of 0.3 (appendix A.3)."""
    schedule: TimestepSchedule = Linear(0.2, 1.0)
    """t falls linearly (appendix A.3)."""
    tau: float = 1 / 30
    """Largest τ, as a fraction of T (appendix A.3)."""
    denoise_steps: int = 1
    """Steps of a whole DDIM path from T to the clean image, of which a view at t takes about n·t/T; 1 is SDI's x̂0,
    more is probability-flow distillation (arXiv 2605.09071)."""

    guidance_fields: ClassVar = ("gamma_fwd",)
    later_fields: ClassVar = ("denoise_steps",)

    def __post_init__(self) -> None:
        require(self.denoise_steps >= 1, "denoise_steps", self.denoise_steps, "a positive number of steps")
        require(self.tau >= 0, "tau", self.tau, "zero or a positive fraction of T")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; τ is drawn for each view."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        later = self._add_tau(prior, t, streams["timestep"])
        kappa = self.inversion(view, t, until=later, prior=prior, prompt=prompt, streams=streams, state=state)
        guided = denoise(prior, add_noise(prior, clean, kappa, t), t, prompt, self.gamma_fwd, self.denoise_steps)
        loss = update_loss(view.latents, clean - guided.target)
        return Distillation(loss, guided.target, t, kappa, guided.noise)

    def _add_tau(self, prior: Prior, timesteps: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The inversion's time t + τ for each view, at most T − 1."""
        steps = len(prior.alphas_cumprod)
        tau = torch.rand(len(timesteps), generator=generator, device=generator.device) * self.tau * steps
        return (timesteps + tau.long().to(timesteps.device)).clamp_max(steps - 1)

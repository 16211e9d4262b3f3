"""SDI: Score Distillation via Inversion, as the paper writes it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch

from methods.contracts import Distillation, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.distillation import check_fractions, methods, random_timesteps, timestep_index, update_loss
from methods.inversion import InversionStrategy, fixed_point_error
from methods.inversion.ddim import DDIMInversion


@methods.register("sdi")
@dataclass(frozen=True)
class SDI:
    """∇ = σ(t)·(ε̂_y(√ᾱ_t x + √(1−ᾱ_t) κ) − κ) with κ from DDIM inversion (eq. 10 and 11, Alg. 2, arXiv 2405.15891).

    σ(t) = √((1−ᾱ_t)/ᾱ_t), so that the update is x − x̂0 exactly, x̂0 being the picture that the guided
    prediction stands for.  κ is inferred at t + τ with τ ~ U(0, ``tau``) and used at t, which falls
    linearly over the optimisation.

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions, or ``tau`` is negative.
    """

    gamma_fwd: float = 7.5
    """Guidance scale γ_fwd of the prediction (appendix A.3)."""
    inversion: InversionStrategy = DDIMInversion()
    """How κ is inferred: DDIM inversion with γ_inv = −7.5 in int(10·t) steps and noise of 0.3 (appendix A.3)."""
    timesteps: tuple[float, float] = (0.2, 1.0)
    """t falls linearly from the second to the first, as fractions of T (appendix A.3)."""
    annealed: bool = True
    """Whether t falls linearly over the optimisation (appendix A.3) rather than being drawn (figure 8)."""
    tau: float = 1 / 30
    """Largest τ, as a fraction of T (appendix A.3)."""

    negative_prompt = ""

    def __post_init__(self) -> None:
        check_fractions("timesteps", self.timesteps)
        if self.tau < 0:
            raise ValueError(f"tau: {self.tau} is negative; it is a fraction of T")

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale, in the inversion too."""
        return replace(self, gamma_fwd=prior.guidance_scale, inversion=self.inversion.calibrated(prior))

    def start(self, prior: Prior) -> State:
        """SDI learns nothing beside the scene."""
        return None

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; an annealed t is the same for all, τ is drawn for each."""
        latents = view.latents
        clean = latents.detach()
        timesteps = self._times(prior, progress, len(clean), streams["timestep"])
        kappa = self.inversion(
            clean, self._later(prior, timesteps, streams["timestep"]), prior=prior, prompt=prompt, streams=streams
        )
        noisy = add_noise(prior, clean, kappa, timesteps)
        guided = guided_prediction(
            prior,
            noisy,
            timesteps,
            positive=prompt.positive,
            base=prompt.null,
            scale=self.gamma_fwd,
            perpendicular=prompt.perpendicular,
        )
        error = fixed_point_error(prior, guided.noise, kappa, timesteps)
        loss = update_loss(latents, clean - guided.target)
        return Distillation(loss, guided.target, float(timesteps.float().mean()), {"fixed_point_error": error})

    def _times(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> torch.Tensor:
        if not self.annealed:
            return random_timesteps(prior, self.timesteps, count, generator)
        low, high = self.timesteps
        return torch.full((count,), timestep_index(prior, high - progress * (high - low)))

    def _later(self, prior: Prior, timesteps: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
        """The inversion's time t + τ for each view, held within the schedule."""
        steps = len(prior.alphas_cumprod)
        tau = torch.rand(len(timesteps), generator=generator, device=generator.device) * self.tau * steps
        return (timesteps + tau.long().to(timesteps.device)).clamp_max(steps - 1)

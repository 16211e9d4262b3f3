"""SJC: Score Jacobian Chaining."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from methods.contracts import Distillation, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.distillation import check_fractions, methods, random_timesteps, update_loss
from methods.inversion import InversionStrategy, fixed_point_error
from methods.inversion.random import RandomNoise


@methods.register("sjc")
@dataclass(frozen=True)
class SJC:
    """∇ = −(D(z; σ) − x)/σ = ε̂ − ε at z = x + σ ε, unweighted (arXiv 2212.00774).

    SJC writes its denoiser D over σ = √((1−ᾱ_t)/ᾱ_t) and evaluates the network at z/√(1+σ²), which is
    x_t = √ᾱ_t x + √(1−ᾱ_t) ε itself; D is the picture x̂0 that ε̂ stands for.

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions.
    """

    guidance_scale: float = 100.0
    """s in ε_∅ + s·(ε_y − ε_∅), as SJC's own code has it; threestudio's port writes ε_y + s·(ε_y − ε_∅), so that its
    100 is 101 here (arXiv 2212.00774)."""
    timesteps: tuple[float, float] = (0.01, 0.97)
    """Range of t, as fractions of T (threestudio's ``sjc.yaml``)."""
    inversion: InversionStrategy = RandomNoise()
    """Where ε comes from: sampled anew (arXiv 2212.00774)."""

    negative_prompt = ""

    def __post_init__(self) -> None:
        check_fractions("timesteps", self.timesteps)

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale."""
        return replace(self, guidance_scale=prior.guidance_scale, inversion=self.inversion.calibrated(prior))

    def start(self, prior: Prior) -> State:
        """SJC learns nothing beside the scene."""
        return None

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        latents = view.latents
        timesteps = random_timesteps(prior, self.timesteps, len(latents), streams["timestep"])
        clean = latents.detach()
        noise = self.inversion(clean, timesteps, prior=prior, prompt=prompt, streams=streams)
        noisy = add_noise(prior, clean, noise, timesteps)
        guided = guided_prediction(
            prior,
            noisy,
            timesteps,
            positive=prompt.positive,
            base=prompt.null,
            scale=self.guidance_scale,
            perpendicular=prompt.perpendicular,
        )
        loss = update_loss(latents, guided.noise - noise)
        error = fixed_point_error(prior, guided.noise, noise, timesteps)
        return Distillation(loss, guided.target, float(timesteps.float().mean()), {"fixed_point_error": error})

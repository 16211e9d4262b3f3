"""SDS: Score Distillation Sampling (DreamFusion)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from methods.contracts import Distillation, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction, levels
from methods.distillation import check_fractions, methods, random_timesteps, update_loss
from methods.inversion import InversionStrategy, fixed_point_error
from methods.inversion.random import RandomNoise


@methods.register("sds")
@dataclass(frozen=True)
class SDS:
    """∇ = w(t)·(ε̂ − ε) with w(t) = 1 − ᾱ_t and noise ε sampled anew each step (eq. 3 of arXiv 2209.14988).

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions.
    """

    guidance_scale: float = 100.0
    """Of the target prediction, in the convention ε_∅ + s·(ε_y − ε_∅) (arXiv 2209.14988, section 3)."""
    timesteps: tuple[float, float] = (0.02, 0.98)
    """Range of t, as fractions of T (arXiv 2209.14988, section 3)."""
    inversion: InversionStrategy = RandomNoise()
    """Where ε comes from: sampled anew (arXiv 2209.14988, section 3)."""

    negative_prompt = ""

    def __post_init__(self) -> None:
        check_fractions("timesteps", self.timesteps)

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale."""
        return replace(self, guidance_scale=prior.guidance_scale, inversion=self.inversion.calibrated(prior))

    def start(self, prior: Prior) -> State:
        """SDS learns nothing beside the scene."""
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
        _, spread = levels(prior, timesteps)
        loss = update_loss(latents, spread.square() * (guided.noise - noise))
        error = fixed_point_error(prior, guided.noise, noise, timesteps)
        return Distillation(loss, guided.target, float(timesteps.float().mean()), {"fixed_point_error": error})

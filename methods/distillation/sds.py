"""SDS: Score Distillation Sampling (DreamFusion)."""

from __future__ import annotations

from dataclasses import dataclass

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
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise


@methods.register("sds")
@dataclass(frozen=True)
class SDS(Method):
    """∇ = w(t)·(ε̂ − ε) with w(t) = 1 − ᾱ_t and noise ε sampled again in each step (eq. 3 of arXiv 2209.14988)."""

    guidance_scale: float = 100.0
    """s of the prediction ε_∅ + s·(ε_y − ε_∅) (arXiv 2209.14988, section 3)."""
    schedule: TimestepSchedule = Uniform(0.02, 0.98)
    """Distribution of t (arXiv 2209.14988, section 3)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step (arXiv 2209.14988, section 3)."""

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        guided = guided_prediction(prior, add_noise(prior, clean, noise, t), t, prompt, self.guidance_scale)
        _, sigma = levels(prior, t)
        loss = update_loss(view.latents, sigma.square() * (guided.noise - noise))
        return Distillation(loss, guided.target, t, noise, guided.noise)

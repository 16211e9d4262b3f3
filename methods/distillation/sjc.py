"""SJC: Score Jacobian Chaining."""

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
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise


@methods.register("sjc")
@dataclass(frozen=True)
class SJC(Method):
    """∇ = −(D(z; σ) − x)/σ = ε̂ − ε at z = x + σ ε, unweighted (arXiv 2212.00774).

    SJC writes its denoiser D over σ = √((1−ᾱ_t)/ᾱ_t) and evaluates the network at z/√(1+σ²), which is
    x_t = √ᾱ_t x + √(1−ᾱ_t) ε itself; D is the image x̂0 that ε̂ stands for.
    """

    guidance_scale: float = 100.0
    """s in ε_∅ + s·(ε_y − ε_∅), as SJC's own code has it; threestudio's port writes ε_y + s·(ε_y − ε_∅), so that its
    100 is 101 here (arXiv 2212.00774)."""
    schedule: TimestepSchedule = Uniform(0.01, 0.97)
    """Distribution of t (threestudio's ``sjc.yaml``)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step (arXiv 2212.00774)."""

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        guided = guided_prediction(prior, add_noise(prior, clean, noise, t), t, prompt, self.guidance_scale)
        loss = update_loss(view.latents, guided.noise - noise)
        return Distillation(loss, guided.target, t, noise, guided.noise)

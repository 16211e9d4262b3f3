"""SDS: Score Distillation Sampling (DreamFusion)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, get_args

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
from methods.diffusion.guidance import Against, add_noise, guided_prediction, levels
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise
from methods.settings import require

#: w(t) by name: σ_t² = 1 − ᾱ_t, or (α_t + σ_t)/α_t = 1/(1 − s), s being a flow's time.
Weight = Literal["sigma_squared", "velocity"]


@methods.register("sds")
@dataclass(frozen=True)
class SDS(Method):
    """∇ = w(t)·(ε̂ − ε) with w(t) = 1 − ᾱ_t and noise ε sampled again in each step (eq. 3 of arXiv 2209.14988).

    Raises:
        ValueError: If ``weight`` is unknown.
    """

    guidance_scale: float = 100.0
    """s of the prediction ε_∅ + s·(ε_y − ε_∅) (arXiv 2209.14988, section 3)."""
    schedule: TimestepSchedule = Uniform(0.02, 0.98)
    """Distribution of t (arXiv 2209.14988, section 3)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step (arXiv 2209.14988, section 3)."""
    weight: Weight = "sigma_squared"
    """w(t): ``sigma_squared`` is 1 − ᾱ_t (arXiv 2209.14988); ``velocity`` is 1/(1 − s) at a flow's time s, with which
    the update is the error v̂ − (ε − x) of its velocity (arXiv 2406.03293)."""

    later_fields: ClassVar = ("weight",)

    def __post_init__(self) -> None:
        require(self.weight in get_args(Weight), "weight", self.weight, f"one of {', '.join(get_args(Weight))}")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        noisy = add_noise(prior, clean, noise, t)
        against: Against = "negative" if self.negative_prompt else "null"
        guided = guided_prediction(prior, noisy, t, prompt, self.guidance_scale, against)
        alpha, sigma = levels(prior, t)
        weight = sigma.square() if self.weight == "sigma_squared" else (alpha + sigma) / alpha
        loss = update_loss(view.latents, weight * (guided.noise - noise))
        return Distillation(loss, guided.target, t, noise, guided.noise)

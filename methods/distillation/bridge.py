"""The bridge between image distributions: SDS first, then a prompt that describes the renders as the source."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

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
from methods.diffusion.guidance import add_noise, bound_prediction, direction, predict_rows, queries
from methods.diffusion.schedules.piecewise import Piecewise
from methods.distillation import methods, update_loss
from methods.distillation.sds import SDS
from methods.inversion.random import RandomNoise
from methods.settings import require


@methods.register("bridge")
@dataclass(frozen=True)
class Bridge(Method):
    """First SDS, then ∇ = S·(ε_y − ε_source) without a weight, the source being the prompt with words for its faults.

    (arXiv 2406.09417.)  Constants are those of ``sds-bridge.yaml`` of davidmcall/SDS-Bridge@240e06e, in three
    dimensions.

    Raises:
        ValueError: If ``switch`` is not a fraction.
    """

    guidance_scale: float = 100.0
    """s of the first stage, SDS's (``guidance_scale``)."""
    schedule: TimestepSchedule = Piecewise(((0.2, 0.02, 0.98), (1.0, 0.02, 0.5)))
    """Distribution of t, whose range shrinks after 5000 of 25000 steps (``max_step_percent``)."""
    switch: float = 0.8
    """Progress at which the second stage begins: 20000 of 25000 steps (``stage_two_start_step``)."""
    weight: float = 1.0
    """S of the second stage (``stage_two_weight``; 40, and 1 − ᾱ_t, in the two-dimensional code)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step."""
    negative_prompt: str = (
        "{prompt}, oversaturated, smooth, pixelated, cartoon, foggy, hazy, blurry, bad structure, noisy, malformed"
    )
    """The source's text (``src_modifier``)."""

    def __post_init__(self) -> None:
        require(0.0 <= self.switch <= 1.0, "switch", self.switch, "a progress from 0 to 1")

    def calibrated(self, prior: Prior) -> Self:
        """A copy with the prior's guidance scale, and its words for bad images after the prompt, if it has some."""
        own = super().calibrated(prior)
        return replace(own, negative_prompt=f"{{prompt}}, {prior.negative_prompt}") if prior.negative_prompt else own

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        if progress < self.switch:
            sds = SDS(guidance_scale=self.guidance_scale, schedule=self.schedule, inversion=self.inversion)
            return sds(view, prior=prior, prompt=prompt, progress=progress, streams=streams, state=state)
        t = self.schedule(prior, progress, len(view.clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        noisy = add_noise(prior, view.clean, noise, t)
        asked = queries(noisy, t, prompt, prompt.positive, prompt.negative)
        conditional, source, *others = predict_rows(prior, *asked)
        towards = bound_prediction(prior, noisy, t, source + direction(prompt, conditional, source, others)).noise
        away = bound_prediction(prior, noisy, t, source).noise
        return Distillation(update_loss(view.latents, self.weight * (towards - away)), None, t, noise, towards)

"""AsyncSD: Asynchronous Score Distillation (ScaleDreamer)."""

from __future__ import annotations

from dataclasses import dataclass

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
from methods.diffusion.guidance import (
    Prediction,
    Query,
    add_noise,
    bound_prediction,
    guide,
    levels,
    predict_rows,
    queries,
)
from methods.diffusion.schedules import draw_later
from methods.diffusion.schedules.sliding import Sliding
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise
from methods.settings import require


@methods.register("asyncsd")
@dataclass(frozen=True)
class AsyncSD(Method):
    """∇ = w(t)·(ε̂(x_t) − ε_y(x_{t+Δ})) with w(t) = 1 − ᾱ_t, the same noise in x_t and x_{t+Δ} (arXiv 2407.02040).

    The prior's own prediction at a later timestep stands for VSD's trained one.  Δ ~ U(0, ``shift``·(t − t_min)); all
    rows are evaluated in one call.  Constants are those of ``asd_sd_nerf.yaml`` of theEricMa/ScaleDreamer@23f433f.

    Raises:
        ValueError: If ``shift`` or a t_min is not a fraction.
    """

    guidance_scale: float = 7.5
    """s of ε̂ = ε_∅ + s·(ε_y − ε_∅); ``guidance_scale``."""
    schedule: TimestepSchedule = Sliding()
    """Distribution of t; ``min_step_percent`` and ``max_step_percent``, both falling over all steps."""
    shift: float = 0.1
    """Largest Δ, as a share of t − t_min; ``plus_ratio`` with ``plus_random``."""
    shift_above: tuple[float, float] = (0.5, 0.02)
    """t_min at the first and at the last step, as fractions of T: the lower end of the schedule's range."""
    perp_neg_share: float = 0.5
    """Share of the weights of Perp-Neg that counts, where the study has it on (−``guidance_perp_neg``)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of the noise: sampled again in each step; a strategy that infers it does so at t + Δ."""

    def __post_init__(self) -> None:
        require(0.0 <= self.shift <= 1.0, "shift", self.shift, "within 0 and 1")
        are_fractions = all(0.0 <= fraction <= 1.0 for fraction in self.shift_above)
        require(are_fractions, "shift_above", self.shift_above, "within 0 and 1")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; Δ is drawn for each view."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        first, last = self.shift_above
        later = draw_later(prior, t, self.shift, first + (last - first) * progress, streams["timestep"])
        noise = self.inversion(view, t, until=later, prior=prior, prompt=prompt, streams=streams, state=state)
        guided, subtracted = self._predict(prior, clean, noise, t, later, prompt)
        _, sigma = levels(prior, t)
        loss = update_loss(view.latents, sigma.square() * (guided.noise - subtracted))
        return Distillation(loss, guided.target, t, noise, guided.noise)

    def _predict(
        self, prior: Prior, clean: Tensor, noise: Tensor, timesteps: Tensor, later: Tensor, prompt: ViewPrompt
    ) -> tuple[Prediction, Tensor]:
        """The guided prediction at t, and the conditional noise at t + Δ."""
        if prompt.perpendicular is not None:
            weights = self.perp_neg_share * prompt.perpendicular.weights
            prompt = prompt._replace(perpendicular=prompt.perpendicular._replace(weights=weights))
        noisy = add_noise(prior, clean, noise, timesteps)
        noisier = add_noise(prior, clean, noise, later)
        asked = queries(noisy, timesteps, prompt, prompt.positive, prompt.null)
        towards, away, *others, after = predict_rows(prior, *asked, Query(noisier, later, prompt.positive))
        estimate = guide(prior, noisy, timesteps, prompt, self.guidance_scale, towards, away, others)
        guided = bound_prediction(prior, noisy, timesteps, estimate)
        return guided, bound_prediction(prior, noisier, later, after).noise

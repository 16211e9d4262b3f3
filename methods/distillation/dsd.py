"""DSD: Diverse Score Distillation."""

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
from methods.diffusion.schedules import draw_later
from methods.diffusion.schedules.sqrt import SquareRoot
from methods.distillation import methods, update_loss
from methods.inversion.trajectory import Trajectory
from methods.settings import require


@methods.register("dsd")
@dataclass(frozen=True)
class DSD(Method):
    """∇ = w(t)·(ε̂(x_t) − ε_y(x_{t+δ})), w(t) = 1 − ᾱ_t, whose noise κ is that of the sampler's path from a seed.

    (arXiv 2412.06780.)  κ = ε̂ at t + δ on the path from one x_T for the whole run, and both x_t and x_{t+δ} are made of
    the render and κ.  δ ~ U(0, ``shift``·(t − t_min)).  Constants and order of the steps are those of
    BillyXYB/Diverse-Score-Distillation@169c35a, ``stable_diffusion_dsd_guidance.py`` and ``configs/dsd.yaml``.

    Raises:
        ValueError: If ``shift`` or ``shift_above`` is not a fraction.
    """

    guidance_scale: float = 7.5
    """s of ε̂ at t; ``guidance_scale``."""
    later_guidance_scale: float = 1.0
    """s of the prediction at t + δ, which is subtracted; 1 is the prompt's own prediction."""
    inversion: InversionStrategy = Trajectory()
    """Source of κ: the sampler's path from one noise, with the same guidance scale."""
    schedule: TimestepSchedule = SquareRoot(0.32, 0.98)
    """t falls with the square root of progress; ``min_step_percent``, ``max_step_percent``, ``sqrt_anneal``."""
    shift: float = 0.1
    """Largest δ, as a share of t − t_min (``plus_ratio``)."""
    shift_above: float = 0.32
    """t_min, as a fraction of T; ``min_step_percent``."""

    def __post_init__(self) -> None:
        for name in ("shift", "shift_above"):
            require(0.0 <= getattr(self, name) <= 1.0, name, getattr(self, name), "within 0 and 1")

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; δ is drawn for each view."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        later = draw_later(prior, t, self.shift, self.shift_above, streams["timestep"])
        kappa = self.inversion(view, t, until=later, prior=prior, prompt=prompt, streams=streams, state=state)
        guided = guided_prediction(prior, add_noise(prior, clean, kappa, t), t, prompt, self.guidance_scale)
        noisier = add_noise(prior, clean, kappa, later)
        subtracted = guided_prediction(prior, noisier, later, prompt, self.later_guidance_scale).noise
        _, sigma = levels(prior, t)
        loss = update_loss(view.latents, sigma.square() * (guided.noise - subtracted))
        return Distillation(loss, guided.target, t, kappa, guided.noise)

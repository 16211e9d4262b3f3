"""NFSD: Noise-Free Score Distillation."""

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
from methods.diffusion.guidance import add_noise, bound_prediction, guide, levels, predict_rows, queries
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise
from methods.transfer import to_device


@methods.register("nfsd")
@dataclass(frozen=True)
class NFSD(Method):
    """∇ = w(t)·(δ_D + s·δ_C), without the noise (eq. 8 and 9 of arXiv 2310.17590).

    δ_C = ε_y − ε_∅ is the classifier's direction, under Perp-Neg with the perpendicular parts of the other views;
    δ_D = ε_∅ for small t and ε_∅ − ε_neg above ``clean_below``, where the negative prompt stands for what is out of
    the prior's distribution.
    """

    guidance_scale: float = 7.5
    """s (arXiv 2310.17590, section 4)."""
    schedule: TimestepSchedule = Uniform(0.02, 0.98)
    """Distribution of t (as SDS; the paper gives no value)."""
    clean_below: float = 0.2
    """Fraction of T below which ε_∅ itself is the denoising direction (arXiv 2310.17590, eq. 8)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of the noise in x_t: sampled again in each step (arXiv 2310.17590)."""
    negative_prompt: str = (
        "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, low-resolution, gloomy"
    )
    """p_neg (arXiv 2310.17590, section 4)."""

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        noisy = add_noise(prior, clean, noise, t)
        rows = queries(noisy, t, prompt, prompt.positive, prompt.null, prompt.negative)
        conditional, null, negative, *others = predict_rows(prior, *rows)
        # δ_D + s·δ_C is the guided noise, less ε_neg where t is large
        estimate = guide(prior, noisy, t, prompt, self.guidance_scale, conditional, null, others)
        guided = bound_prediction(prior, noisy, t, estimate)
        away = bound_prediction(prior, noisy, t, negative)
        large = to_device(t >= self.clean_below * len(prior.alphas_cumprod), clean.device)
        _, sigma = levels(prior, t)
        loss = update_loss(view.latents, sigma.square() * (guided.noise - large[:, None, None, None] * away.noise))
        return Distillation(loss, guided.target, t, noise, guided.noise)

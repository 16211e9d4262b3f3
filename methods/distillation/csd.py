"""CSD: Classifier Score Distillation."""

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
from methods.diffusion.guidance import add_noise, bound_prediction, direction, predict_rows, queries
from methods.diffusion.schedules.uniform import Uniform
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise


@methods.register("csd")
@dataclass(frozen=True)
class CSD(Method):
    """∇ = c₁ ε_y + c₂ ε_neg + c₃ ε_∅ + c₄ ε, unweighted; CSD is ε_y − ε_∅ (arXiv 2310.19415).

    The released code writes the family with these four coefficients: SDS, but for its weight, is
    (s, 0, 1 − s, −1), and a negative prompt is c₂ in place of c₃.  Where the prior bounds its images, each prediction
    is bounded by itself; their difference stands for no image, so there is no target.
    """

    positive: float = 1.0
    """c₁, the coefficient of the prediction under the prompt (arXiv 2310.19415)."""
    negative: float = 0.0
    """c₂, the coefficient of the prediction under the negative prompt; the released code anneals it in over 5000
    steps."""
    null: float = -1.0
    """c₃, the coefficient of the prediction under the empty prompt (arXiv 2310.19415)."""
    noise: float = 0.0
    """c₄, the coefficient of the noise ε itself; CSD leaves it out (arXiv 2310.19415)."""
    schedule: TimestepSchedule = Uniform(0.02, 0.98)
    """Distribution of t (the released code's first 5000 steps)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step (arXiv 2310.19415)."""
    negative_prompt: str = "oversaturated color, ugly, tiling, low quality, noisy"
    """The released code's; it counts where ``negative`` is not 0."""

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; only rows with a coefficient are evaluated, and the prompt's always."""
        t = self.schedule(prior, progress, len(view.clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        update, conditional = self.update(view, t, noise, prior=prior, prompt=prompt)
        # the conditional prediction is the only one that CSD has
        return Distillation(update_loss(view.latents, update), None, t, noise, conditional)

    def update(
        self, view: View, timesteps: Tensor, noise: Tensor, *, prior: Prior, prompt: ViewPrompt
    ) -> tuple[Tensor, Tensor]:
        """The four terms' sum and the conditional prediction, each ``(b c lh lw)``, for given t and ε."""
        noisy = add_noise(prior, view.clean, noise, timesteps)
        needs_null = self.null != 0.0 or prompt.perpendicular is not None
        texts = {"positive": prompt.positive}
        texts |= {"negative": prompt.negative} if self.negative != 0.0 else {}
        texts |= {"null": prompt.null} if needs_null else {}
        rows = predict_rows(prior, *queries(noisy, timesteps, prompt, *texts.values()))
        predicted = dict(zip(texts, rows, strict=False))
        if prompt.perpendicular is not None:
            null = predicted["null"]
            predicted["positive"] = null + direction(prompt, predicted["positive"], null, rows[len(texts) :])
        bounded = {name: bound_prediction(prior, noisy, timesteps, row).noise for name, row in predicted.items()}
        conditional = bounded.pop("positive")
        update = self.positive * conditional + self.noise * noise
        for name, prediction in bounded.items():
            update = update + getattr(self, name) * prediction
        return update, conditional

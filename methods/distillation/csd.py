"""CSD: Classifier Score Distillation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from methods.contracts import Distillation, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, predict_rows
from methods.distillation import check_fractions, methods, random_timesteps, update_loss
from methods.inversion import InversionStrategy, fixed_point_error
from methods.inversion.random import RandomNoise


@methods.register("csd")
@dataclass(frozen=True)
class CSD:
    """∇ = c₁ ε_y + c₂ ε_neg + c₃ ε_∅ + c₄ ε, unweighted; CSD is ε_y − ε_∅ (arXiv 2310.19415).

    The released code writes the family with these four coefficients: SDS, but for its weight, is
    (s, 0, 1 − s, −1), and a negative prompt is c₂ in place of c₃.  The predictions are used as the prior makes
    them, not held within its picture range: their difference stands for no picture, so there is no target.

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions.
    """

    positive: float = 1.0
    """c₁, of the prediction under the prompt (arXiv 2310.19415)."""
    negative: float = 0.0
    """c₂, of the prediction under the negative prompt; the released code anneals it in over 5000 steps."""
    null: float = -1.0
    """c₃, of the prediction under the empty prompt (arXiv 2310.19415)."""
    noise: float = 0.0
    """c₄, of the noise ε itself; CSD leaves it out (arXiv 2310.19415)."""
    timesteps: tuple[float, float] = (0.02, 0.98)
    """Range of t, as fractions of T (the released code's first 5000 steps)."""
    inversion: InversionStrategy = RandomNoise()
    """Where ε comes from: sampled anew (arXiv 2310.19415)."""
    negative_prompt: str = "oversaturated color, ugly, tiling, low quality, noisy"
    """Of the released code; it counts where ``negative`` is not 0."""

    def __post_init__(self) -> None:
        check_fractions("timesteps", self.timesteps)

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's words for bad pictures; CSD is all classifier and has no guidance scale."""
        return replace(self, inversion=self.inversion.calibrated(prior), negative_prompt=prior.negative_prompt)

    def start(self, prior: Prior) -> State:
        """CSD learns nothing beside the scene."""
        return None

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; only rows with a coefficient are evaluated, and the prompt's always."""
        latents = view.latents
        timesteps = random_timesteps(prior, self.timesteps, len(latents), streams["timestep"])
        clean = latents.detach()
        noise = self.inversion(clean, timesteps, prior=prior, prompt=prompt, streams=streams)
        noisy = add_noise(prior, clean, noise, timesteps)
        others = [(c, text) for c, text in ((self.negative, prompt.negative), (self.null, prompt.null)) if c != 0.0]
        conditional, *away = predict_rows(prior, noisy, timesteps, prompt.positive, *(text for _, text in others))
        update = self.positive * conditional + self.noise * noise
        for (coefficient, _), predicted in zip(others, away, strict=True):
            update = update + coefficient * predicted
        loss = update_loss(latents, update)
        error = fixed_point_error(prior, conditional, noise, timesteps)  # the conditional is CSD's only prediction
        return Distillation(loss, None, float(timesteps.float().mean()), {"fixed_point_error": error})

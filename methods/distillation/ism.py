"""ISM: Interval Score Matching (LucidDreamer)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch

from methods.contracts import Distillation, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import guided_prediction, levels
from methods.distillation import check_fractions, methods, random_timesteps, timestep_index, update_loss
from methods.inversion import fixed_point_error
from methods.inversion.ddim import ddim_inversion


@methods.register("ism")
@dataclass(frozen=True)
class ISM:
    """∇ = λ·σ(t)·(ε̂_y(x_t) − ε_∅(x_s)), with x_s and x_t from unconditional DDIM inversion.

    Eq. 17 and algorithm 1 of arXiv 2311.11284: x_s is reached in strides of ``inversion_interval``, one step
    of ``interval`` leads from it to x_t, and the interval and the largest t fall over the warm-up.
    σ(t) = √((1−ᾱ_t)/ᾱ_t) and λ are those of the released code.

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions.
    """

    guidance_scale: float = 7.5
    """Of the prediction at x_t, over the negative prompt (arXiv 2311.11284, appendix)."""
    timesteps: tuple[float, float] = (0.02, 0.5)
    """Range of t after the warm-up, as fractions of T."""
    warm_up_timestep: float = 0.98
    """Largest t at the start, as a fraction of T."""
    warm_up: float = 0.3
    """Share of the optimisation over which the largest t and the interval fall (1500 of 5000 steps)."""
    interval: float = 0.05
    """δ_T = t − s after the warm-up, as a fraction of T."""
    warm_up_interval: float = 0.1
    """δ_T at the start, as a fraction of T."""
    inversion_interval: float = 0.2
    """δ_S, the stride of the inversion up to x_s, as a fraction of T."""
    weight: float = 0.1
    """λ of the released code (``lambda_guidance``)."""
    annealed: bool = False
    """Whether t falls linearly through its range instead of being drawn (figure 14 of arXiv 2405.15891)."""
    gamma_inv: float = 0.0
    """Guidance scale of the inversion under the prompt; 0 is ISM's unconditional one (figure 14, as above)."""
    full_noise: bool = False
    """Whether all of the noise in x_t is subtracted, as SDI does, instead of ε̂(x_s) (figure 14, as above)."""
    negative_prompt: str = "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark"
    """The base of the guidance at x_t."""

    def __post_init__(self) -> None:
        check_fractions("timesteps", self.timesteps)

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale and its words for bad pictures."""
        return replace(self, guidance_scale=prior.guidance_scale, negative_prompt=prior.negative_prompt)

    def start(self, prior: Prior) -> State:
        """ISM learns nothing beside the scene."""
        return None

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; they share one t, as the inversion's strides do."""
        latents = view.latents
        clean = latents.detach()
        path = self._path(prior, progress, streams["timestep"])[:, None].expand(-1, len(latents))
        noisy, interval = ddim_inversion(
            prior,
            clean,
            path,
            positive=prompt.positive,
            base=prompt.null,
            scale=self.gamma_inv,
            perpendicular=prompt.perpendicular,
        )
        guided = guided_prediction(
            prior,
            noisy,
            path[-1],
            positive=prompt.positive,
            base=prompt.negative,
            scale=self.guidance_scale,
            perpendicular=prompt.perpendicular,
        )
        signal, spread = levels(prior, path[-1])
        kappa = (noisy - signal * clean) / spread
        subtracted = kappa if self.full_noise else interval.noise
        loss = update_loss(latents, self.weight * spread / signal * (guided.noise - subtracted))
        error = fixed_point_error(prior, guided.noise, kappa, path[-1])
        return Distillation(loss, guided.target, float(path[-1, 0]), {"fixed_point_error": error})

    def _path(self, prior: Prior, progress: float, generator: torch.Generator) -> torch.Tensor:
        """Timesteps 0, δ_S, 2δ_S, …, s, t of this step's inversion."""
        steps = len(prior.alphas_cumprod)
        warmth = max(0.0, 1.0 - progress / self.warm_up) if self.warm_up > 0 else 0.0
        highest = self.timesteps[1] + warmth * (self.warm_up_timestep - self.timesteps[1])
        interval = round(steps * (self.interval + warmth * (self.warm_up_interval - self.interval)))
        bounds = (self.timesteps[0], max(highest, self.timesteps[0]))
        drawn = int(random_timesteps(prior, bounds, 1, generator))
        t = max(timestep_index(prior, bounds[1] - progress * (bounds[1] - bounds[0])) if self.annealed else drawn, 1)
        s = max(t - interval, 0)
        stride = max(1, round(steps * self.inversion_interval))
        return torch.tensor([*range(0, s, stride), s, t])

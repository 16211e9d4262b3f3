"""NFSD: Noise-Free Score Distillation."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

from methods.contracts import Distillation, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, bounded, levels, predict_rows
from methods.distillation import check_fractions, methods, random_timesteps, update_loss
from methods.inversion import InversionStrategy, fixed_point_error
from methods.inversion.random import RandomNoise
from methods.transfer import to_device


@methods.register("nfsd")
@dataclass(frozen=True)
class NFSD:
    """∇ = w(t)·(δ_D + s·δ_C), the noise left out (eq. 8 and 9 of arXiv 2310.17590).

    δ_C = ε_y − ε_∅ is the classifier's direction; δ_D = ε_∅ for small t and ε_∅ − ε_neg above
    ``clean_below``, where the negative prompt stands for what is out of the prior's distribution.

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions.
    """

    guidance_scale: float = 7.5
    """s (arXiv 2310.17590, section 4)."""
    timesteps: tuple[float, float] = (0.02, 0.98)
    """Range of t, as fractions of T."""
    clean_below: float = 0.2
    """Fraction of T below which ε_∅ itself is the denoising direction (arXiv 2310.17590, eq. 8)."""
    inversion: InversionStrategy = RandomNoise()
    """Where the noise in x_t comes from: sampled anew (arXiv 2310.17590)."""
    negative_prompt: str = (
        "unrealistic, blurry, low quality, out of focus, ugly, low contrast, dull, dark, low-resolution, gloomy"
    )
    """p_neg (arXiv 2310.17590, section 4)."""

    def __post_init__(self) -> None:
        check_fractions("timesteps", self.timesteps)

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale and its words for bad pictures."""
        return replace(
            self,
            guidance_scale=prior.guidance_scale,
            inversion=self.inversion.calibrated(prior),
            negative_prompt=prior.negative_prompt,
        )

    def start(self, prior: Prior) -> State:
        """NFSD learns nothing beside the scene."""
        return None

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views."""
        latents = view.latents
        timesteps = random_timesteps(prior, self.timesteps, len(latents), streams["timestep"])
        clean = latents.detach()
        noise = self.inversion(clean, timesteps, prior=prior, prompt=prompt, streams=streams)
        noisy = add_noise(prior, clean, noise, timesteps)
        conditional, null, negative = predict_rows(
            prior, noisy, timesteps, prompt.positive, prompt.null, prompt.negative
        )
        # δ_D + s·δ_C is the guided noise, less ε_neg where t is large; only the guided part stands for a picture.
        guided = bounded(prior, noisy, timesteps, null + self.guidance_scale * (conditional - null))
        large = to_device(timesteps >= self.clean_below * len(prior.alphas_cumprod), clean.device)
        _, spread = levels(prior, timesteps)
        loss = update_loss(latents, spread.square() * (guided.noise - large[:, None, None, None] * negative))
        error = fixed_point_error(prior, guided.noise, noise, timesteps)
        return Distillation(loss, guided.target, float(timesteps.float().mean()), {"fixed_point_error": error})

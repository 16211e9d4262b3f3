"""HiFA: high-fidelity text-to-3D with a term on the picture and a time that falls with a square root."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from methods.contracts import Distillation, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction, levels
from methods.distillation import check_fractions, methods, timestep_index, update_loss
from methods.inversion import InversionStrategy, fixed_point_error
from methods.inversion.random import RandomNoise


@methods.register("hifa")
@dataclass(frozen=True)
class HiFA:
    """∇_x = w (ε̂ − ε) and ∇_I = λ w (I − Î)·√ᾱ_t/√(1−ᾱ_t), with Î = decode(x̂0) (arXiv 2305.18766).

    The two are one rule, for ε̂ − ε = (x − x̂0)·√ᾱ_t/√(1−ᾱ_t): latents and picture are each pulled towards what the
    prediction stands for.  The form and w(t) = 1 − ᾱ_t are threestudio's; the released code denoises in four
    steps with a constant w.  The second term's gradient goes to the picture I, not through the encoder.  HiFA's
    penalties on depth belong to the scene.

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions, or ``picture_weight`` is negative.
    """

    guidance_scale: float = 101.0
    """s in ε_∅ + s·(ε_y − ε_∅); threestudio's 100 in its convention ε_y + s·(ε_y − ε_∅) (``hifa.yaml``)."""
    timesteps: tuple[float, float] = (0.3, 0.98)
    """t falls from the second to the first with the square root of progress (arXiv 2305.18766; ``hifa.yaml``)."""
    picture_weight: float = 0.01
    """λ, of the term on the picture (threestudio's ``lambda_sds_img``; 0.1 in the released code)."""
    inversion: InversionStrategy = RandomNoise()
    """Where ε comes from: sampled anew (arXiv 2305.18766)."""

    negative_prompt = ""

    def __post_init__(self) -> None:
        check_fractions("timesteps", self.timesteps)
        if self.picture_weight < 0:
            raise ValueError(f"picture_weight: {self.picture_weight} is negative")

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale."""
        return replace(self, guidance_scale=prior.guidance_scale, inversion=self.inversion.calibrated(prior))

    def start(self, prior: Prior) -> State:
        """HiFA learns nothing beside the scene."""
        return None

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views; all share one t."""
        latents = view.latents
        clean = latents.detach()
        low, high = self.timesteps
        t = timestep_index(prior, high - (high - low) * progress**0.5)
        timesteps = torch.full((len(clean),), t)
        noise = self.inversion(clean, timesteps, prior=prior, prompt=prompt, streams=streams)
        noisy = add_noise(prior, clean, noise, timesteps)
        guided = guided_prediction(
            prior,
            noisy,
            timesteps,
            positive=prompt.positive,
            base=prompt.null,
            scale=self.guidance_scale,
            perpendicular=prompt.perpendicular,
        )
        signal, spread = levels(prior, timesteps)
        loss = update_loss(latents, spread.square() * (guided.noise - noise))
        if self.picture_weight > 0:
            aim = prior.decode(guided.target).detach()
            picture = _resized(view.rgb, aim.shape[-1])
            loss = loss + self.picture_weight * update_loss(picture, spread * signal * (picture - aim))
        error = fixed_point_error(prior, guided.noise, noise, timesteps)
        return Distillation(loss, guided.target, float(t), {"fixed_point_error": error})


def _resized(rgb: Tensor, side: int) -> Tensor:
    """Square pictures ``(b 3 h w)`` with ``side`` pixels a side, as a prior's encoder resizes them."""
    if rgb.shape[-1] == side:
        return rgb
    return torch.nn.functional.interpolate(rgb, (side, side), mode="bilinear", antialias=rgb.shape[-1] > side)

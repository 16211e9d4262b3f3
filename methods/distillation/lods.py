"""LODS: Learning to Optimise Denoising Scores, guidance away from a null prompt that is learnt from the renders."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor

from methods.contracts import (
    AdaptedPrior,
    Distillation,
    InversionStrategy,
    Method,
    MethodState,
    Prior,
    State,
    Streams,
    TimestepSchedule,
    View,
    ViewPrompt,
)
from methods.diffusion.adaptation import Adaptation, low_rank_copy
from methods.diffusion.guidance import add_noise, bound_prediction, direction, levels, predict_rows, queries
from methods.diffusion.learnt_null import LearntNull
from methods.diffusion.schedules import draw_timesteps
from methods.diffusion.schedules.piecewise import Piecewise
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise, draw_noise
from methods.settings import require
from methods.transfer import to_device


@methods.register("lods")
@dataclass(frozen=True)
class LODS(Method):
    """∇ = w(t)·(ε_y + (1 − s)/s·ε_φ − ε/s) with w(t) = 1 − ᾱ_t, ε_φ being the prior under a learnt null prompt.

    That is SDS with guidance scale s, divided by s, which goes away from ε_φ in place of ε_∅ (arXiv 2312.04820); for a
    large s it is CSD with a learnt null.  ε_φ is trained on the same renders at other timesteps, one step after each
    update.  Constants are those of ``lods_embedding_guidance.py`` and ``lods-ngp-embedding.yaml`` of
    yangxiaofeng/LODS@74f3280.  Each prediction is bounded by itself, so that there is no target.

    Raises:
        ValueError: If ``guidance_scale`` or ``lora_rank`` is not positive.
    """

    guidance_scale: float = 1000.0
    """s, the released code's; calibration keeps it, because it says how little of ε is left and scales nothing."""
    learns: Literal["embedding", "lora"] = "embedding"
    """The part of ε_φ that is learnt: the embedding of the null prompt, or a LoRA that is asked under it."""
    learning_rate: float = 1e-5
    """Step size of ε_φ (``guidance.learnable_embedding``; 5e-7 for the LoRA, ``lods-ngp-lora.yaml``)."""
    lora_rank: int = 4
    """Rank of the LoRA's adapters (diffusers' default)."""
    schedule: TimestepSchedule = Piecewise(((0.4, 0.02, 0.98), (1.0, 0.02, 0.5)))
    """Distribution of t, whose range shrinks after 10000 of 25000 steps (``max_step_percent``)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of ε: sampled again in each step."""

    guidance_fields: ClassVar = ()

    def __post_init__(self) -> None:
        for name in ("guidance_scale", "lora_rank"):
            require(getattr(self, name) > 0, name, getattr(self, name), "a positive number")

    def start(self, prior: Prior) -> dict[str, MethodState]:
        """The part that is learnt and its optimiser as ``null``, in addition to the parts' states."""
        adapted = LearntNull(prior) if self.learns == "embedding" else low_rank_copy(prior, self.lora_rank)
        return super().start(prior) | {"null": Adaptation(adapted, learning_rate=self.learning_rate)}

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views, and a step of ε_φ's training at t ~ U{0 … T−1}."""
        null = cast("Adaptation", state["null"])
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        update, conditional = self.update(clean, noise, t, prior=prior, adapted=null.adapted, prompt=prompt)
        loss = null.train(
            clean,
            draw_noise(clean, streams["noise"]),
            draw_timesteps(prior, 0.0, 1.0, len(clean), streams["timestep"]),
            prior=prior,
            conditioning=prompt.null,
            cameras=clean.new_zeros(len(clean), 16),
        )
        return Distillation(update_loss(view.latents, update), None, t, noise, conditional, {"null_loss": loss})

    @torch.no_grad()
    def update(
        self,
        latents: Tensor,
        noise: Tensor,
        timesteps: Tensor,
        *,
        prior: Prior,
        adapted: AdaptedPrior,
        prompt: ViewPrompt,
    ) -> tuple[Tensor, Tensor]:
        """The update for a given noise and time, and the prompt's prediction, each ``(b c lh lw)``.

        Args:
            latents: Clean latents ``(b c lh lw)``.
            noise: ε, of the same shape.
            timesteps: ``(b,)``.
            prior: The diffusion prior.
            adapted: ε_φ.
            prompt: Conditioning of the views.
        """
        timesteps = to_device(timesteps, latents.device)
        noisy = add_noise(prior, latents, noise, timesteps)
        conditional, *others = predict_rows(prior, *queries(noisy, timesteps, prompt, prompt.positive))
        learnt = adapted.predict_noise(noisy, timesteps, prompt.null, latents.new_zeros(len(latents), 16))
        guided = learnt + direction(prompt, conditional, learnt, others)
        towards, away = (bound_prediction(prior, noisy, timesteps, each).noise for each in (guided, learnt))
        s, (_, sigma) = self.guidance_scale, levels(prior, timesteps)
        return sigma.square() * (towards + (1 - s) / s * away - noise / s), towards

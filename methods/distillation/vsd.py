"""VSD: Variational Score Distillation (ProlificDreamer)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, cast

import torch
from torch import Tensor

from methods.conditioning import Conditioning
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
from methods.diffusion.adaptation import Adaptation, SecondTarget, camera_matrices, low_rank_copy
from methods.diffusion.guidance import Prediction, add_noise, bound_prediction, guided_prediction, levels
from methods.diffusion.schedules import draw_timesteps
from methods.diffusion.schedules.piecewise import Piecewise
from methods.distillation import methods, update_loss
from methods.inversion.random import RandomNoise, draw_noise
from methods.settings import require
from methods.transfer import to_device


@methods.register("vsd")
@dataclass(frozen=True)
class VSD(Method):
    """∇ = w(t)·(ε_pre − ε_φ) with w(t) = 1 − ᾱ_t and ε_φ a LoRA of the prior that is trained on the renders.

    (Algorithm 1 of arXiv 2305.16213.)  ε_φ sees the camera and the prompt without view words, and is trained on the
    same renders at other timesteps, one step after each update (threestudio's ``prolificdreamer.yaml``).  It adapts
    the prior's own network, where threestudio's default adapts another Stable Diffusion.

    Raises:
        ValueError: If a probability or the rank is impossible.
    """

    guidance_scale: float = 7.5
    """s of ε_pre = ε_∅ + s·(ε_y − ε_∅) (arXiv 2305.16213)."""
    lora_guidance_scale: float = 1.0
    """s_φ of ε_φ = ε_φ(no camera) + s_φ·(ε_φ(camera) − ε_φ(no camera)) (threestudio's ``guidance_scale_lora``)."""
    schedule: TimestepSchedule = Piecewise(((0.2, 0.02, 0.98), (1.0, 0.02, 0.5)))
    """Distribution of t, whose range shrinks abruptly after 5000 of 25000 steps (arXiv 2305.16213)."""
    lora_rank: int = 4
    """Rank of the adapters (diffusers' and threestudio's default)."""
    lora_learning_rate: float = 1e-4
    """Step size of the LoRA and its camera embedding (threestudio's ``prolificdreamer.yaml``)."""
    camera_dropout: float = 0.1
    """Probability of leaving a view's camera out of the LoRA's training (released code's ``uncond_p``)."""
    inversion: InversionStrategy = RandomNoise()
    """Source of the update's ε: sampled again in each step (arXiv 2305.16213, algorithm 1)."""
    lookahead: bool = False
    """Whether the LoRA is trained before the update and not after it (arXiv 2507.09748)."""

    later_fields: ClassVar = ("lookahead",)

    def __post_init__(self) -> None:
        require(0.0 <= self.camera_dropout <= 1.0, "camera_dropout", self.camera_dropout, "a probability")
        require(self.lora_rank >= 1, "lora_rank", self.lora_rank, "a positive rank")

    def start(self, prior: Prior) -> dict[str, MethodState]:
        """The LoRA and its optimiser as ``lora``, in addition to the parts' states."""
        return super().start(prior) | {
            "lora": Adaptation(low_rank_copy(prior, self.lora_rank), learning_rate=self.lora_learning_rate)
        }

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views, and a step of the LoRA's training."""
        lora = cast("Adaptation", state["lora"])
        clean = view.clean
        t = self.schedule(prior, progress, len(clean), streams["timestep"])
        noise = self.inversion(view, t, prior=prior, prompt=prompt, streams=streams, state=state)
        cameras = to_device(camera_matrices(view.cameras), clean)
        if self.lookahead:
            lora_loss = self._train(clean, prior, prompt, cameras, streams, lora)
        update, guided = self.update(clean, noise, t, prior=prior, adapted=lora.adapted, prompt=prompt, cameras=cameras)
        if not self.lookahead:
            lora_loss = self._train(clean, prior, prompt, cameras, streams, lora)
        loss = update_loss(view.latents, update)
        return Distillation(loss, guided.target, t, noise, guided.noise, {"lora_loss": lora_loss})

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
        cameras: Tensor,
    ) -> tuple[Tensor, Prediction]:
        """w(t)·(ε_pre − ε_φ) ``(b c lh lw)`` for a given noise and time, and the prior's guided prediction.

        Both predictions are moved into the prior's range of images, so that they cancel where they agree.

        Args:
            latents: Clean latents ``(b c lh lw)``.
            noise: ε, of the same shape.
            timesteps: ``(b,)``.
            prior: The diffusion prior.
            adapted: Its trained copy.
            prompt: Conditioning of the views.
            cameras: ``(b 16)``, camera-to-world.
        """
        timesteps = to_device(timesteps, latents.device)
        noisy = add_noise(prior, latents, noise, timesteps)
        pretrained = guided_prediction(prior, noisy, timesteps, prompt, self.guidance_scale)
        text, scale = prompt.without_view, self.lora_guidance_scale
        if scale == 1.0:
            estimated = adapted.predict_noise(noisy, timesteps, text, cameras)
        else:
            twice, either = torch.cat([noisy, noisy]), torch.cat([cameras, torch.zeros_like(cameras)])
            rows = adapted.predict_noise(twice, timesteps.repeat(2), Conditioning.cat([text, text]), either)
            seen, unseen = rows.chunk(2)
            estimated = unseen + scale * (seen - unseen)
        learnt = bound_prediction(prior, noisy, timesteps, estimated)
        return self._weight(prior, timesteps) * (pretrained.noise - learnt.noise), pretrained

    def _weight(self, prior: Prior, timesteps: Tensor) -> Tensor:
        """w(t) ``(b 1 1 1)``."""
        return levels(prior, timesteps)[1].square()

    def _train(
        self, clean: Tensor, prior: Prior, prompt: ViewPrompt, cameras: Tensor, streams: Streams, lora: Adaptation
    ) -> Tensor:
        """One step at t ~ U{0 … T−1}, some views without their camera; the loss."""
        timesteps = draw_timesteps(prior, 0.0, 1.0, len(clean), streams["timestep"])
        noise = draw_noise(clean, streams["noise"])
        times = streams["timestep"]
        kept = torch.rand(len(clean), 1, generator=times, device=times.device) >= self.camera_dropout
        seen = cameras * to_device(kept, cameras)
        return lora.train(
            clean,
            noise,
            timesteps,
            prior=prior,
            conditioning=prompt.without_view,
            cameras=seen,
            second=self._second_target(clean, noise, timesteps, prior, prompt),
        )

    def _second_target(
        self, clean: Tensor, noise: Tensor, timesteps: Tensor, prior: Prior, prompt: ViewPrompt
    ) -> SecondTarget | None:
        """Another target of the LoRA's training, in addition to the renders; none in VSD."""
        return None

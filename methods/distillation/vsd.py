"""VSD: Variational Score Distillation (ProlificDreamer)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from methods.contracts import AdaptedPrior, Distillation, Prior, State, Streams, View, ViewPrompt
from methods.diffusion.adaptation import Adaptation, camera_matrices
from methods.diffusion.guidance import Prediction, add_noise, bounded, guided_prediction, levels
from methods.distillation import check_fractions, methods, random_timesteps, update_loss
from methods.inversion import InversionStrategy, fixed_point_error
from methods.inversion.random import RandomNoise
from methods.transfer import to_device


@methods.register("vsd")
@dataclass(frozen=True)
class VSD:
    """∇ = w(t)·(ε_pre − ε_φ) with w(t) = 1 − ᾱ_t and ε_φ a LoRA of the prior that is trained on the renders.

    (Algorithm 1 of arXiv 2305.16213.)  ε_φ sees the camera and the prompt without view words, and is trained on the
    same renders at other timesteps, one step after each update (threestudio's ``prolificdreamer.yaml``).  It adapts
    the prior's own network, where threestudio's default adapts another Stable Diffusion.

    Raises:
        ValueError: If ``timesteps`` is not an increasing pair of fractions, or a probability or rank is impossible.
    """

    guidance_scale: float = 7.5
    """s of ε_pre = ε_∅ + s·(ε_y − ε_∅) (arXiv 2305.16213)."""
    lora_guidance_scale: float = 1.0
    """s_φ of ε_φ = ε_φ(no camera) + s_φ·(ε_φ(camera) − ε_φ(no camera)) (threestudio's ``guidance_scale_lora``)."""
    timesteps: tuple[float, float] = (0.02, 0.98)
    """Range of t at first, as fractions of T (arXiv 2305.16213)."""
    late_timestep: float = 0.5
    """Largest t after ``switch``, as a fraction of T (arXiv 2305.16213)."""
    switch: float = 0.2
    """Share of the optimisation after which ``late_timestep`` holds, at once (5000 of 25000 steps)."""
    lora_rank: int = 4
    """Of the adapters (diffusers' and threestudio's default)."""
    lora_learning_rate: float = 1e-4
    """Of the LoRA and its camera embedding (threestudio's ``prolificdreamer.yaml``)."""
    camera_dropout: float = 0.1
    """How often a view's camera is left out of the LoRA's training (released code's ``uncond_p``)."""
    inversion: InversionStrategy = RandomNoise()
    """Where the update's ε comes from: sampled anew (arXiv 2305.16213, algorithm 1)."""

    negative_prompt = ""

    def __post_init__(self) -> None:
        check_fractions("timesteps", self.timesteps)
        if not 0.0 <= self.camera_dropout <= 1.0:
            raise ValueError(f"camera_dropout: {self.camera_dropout} is not a probability")
        if self.lora_rank < 1:
            raise ValueError(f"lora_rank: {self.lora_rank} is not a positive rank")

    def calibrated(self, prior: Prior) -> Self:
        """With the prior's guidance scale."""
        return replace(self, guidance_scale=prior.guidance_scale, inversion=self.inversion.calibrated(prior))

    def start(self, prior: Prior) -> State:
        """The LoRA and its optimiser, an ``Adaptation``."""
        return Adaptation(prior, rank=self.lora_rank, learning_rate=self.lora_learning_rate)

    def __call__(
        self, view: View, *, prior: Prior, prompt: ViewPrompt, progress: float, streams: Streams, state: State
    ) -> Distillation:
        """The update for one batch of views, and a step of the LoRA's training."""
        latents = view.latents
        clean = latents.detach()
        low, high = self.timesteps
        bounds = (low, max(low, min(high, self.late_timestep)) if progress > self.switch else high)
        timesteps = random_timesteps(prior, bounds, len(clean), streams["timestep"])
        noise = self.inversion(clean, timesteps, prior=prior, prompt=prompt, streams=streams)
        cameras = to_device(camera_matrices(view.cameras), clean)
        update, guided = self.update(
            clean, noise, timesteps, prior=prior, adapted=state.adapted, prompt=prompt, cameras=cameras
        )
        trained = self._train(clean, prior, prompt, cameras, streams, state)
        error = fixed_point_error(prior, guided.noise, noise, timesteps)
        diagnostics = {"fixed_point_error": error, "lora_loss": trained}
        return Distillation(update_loss(latents, update), guided.target, float(timesteps.float().mean()), diagnostics)

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

        Both predictions are held within the prior's picture range, so that they cancel where they agree.

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
        pretrained = guided_prediction(
            prior,
            noisy,
            timesteps,
            positive=prompt.positive,
            base=prompt.null,
            scale=self.guidance_scale,
            perpendicular=prompt.perpendicular,
        )
        text, scale = _plain(prompt), self.lora_guidance_scale
        if scale == 1.0:
            estimated = adapted.predict_noise(noisy, timesteps, text, cameras)
        else:
            twice, either = torch.cat([noisy, noisy]), torch.cat([cameras, torch.zeros_like(cameras)])
            rows = adapted.predict_noise(twice, timesteps.repeat(2), torch.cat([text, text]), either)
            seen, unseen = rows.chunk(2)
            estimated = unseen + scale * (seen - unseen)
        _, spread = levels(prior, timesteps)
        return spread.square() * (pretrained.noise - bounded(prior, noisy, timesteps, estimated).noise), pretrained

    def _train(
        self, clean: Tensor, prior: Prior, prompt: ViewPrompt, cameras: Tensor, streams: Streams, state: Adaptation
    ) -> Tensor:
        """One step at t ~ U{0 … T−1}, some views without their camera; the loss."""
        timesteps = random_timesteps(prior, (0.0, 1.0), len(clean), streams["timestep"])
        noise, times = streams["noise"], streams["timestep"]
        fresh = to_device(torch.randn(clean.shape, generator=noise, device=noise.device), clean)
        kept = torch.rand(len(clean), 1, generator=times, device=times.device) >= self.camera_dropout
        text = _plain(prompt)
        return state.train(
            clean, fresh, timesteps, prior=prior, conditioning=text, cameras=cameras * to_device(kept, cameras)
        )


def _plain(prompt: ViewPrompt) -> Tensor:
    return prompt.positive if prompt.plain is None else prompt.plain

"""The prior's own sampler, from noise to an image: the reference of distillation in 2D."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from methods.contracts import Prior, ViewPrompt
from methods.diffusion.guidance import guided_prediction, levels

#: Images sampled in one batch, so that a small device has room for them.
_AT_ONCE = 8


@torch.no_grad()
def ddim_sample(prior: Prior, noise: Tensor, prompt: ViewPrompt, scale: float, steps: int = 50) -> Tensor:
    """Deterministic DDIM sampling (eq. 12 of arXiv 2010.02502 with η = 0).

    Equals diffusers' ``DDIMScheduler`` with ``use_clipped_model_output`` and leading timestep spacing.

    Args:
        prior: The diffusion prior.
        noise: x_T, ``(b c lh lw)``.
        prompt: The conditioning; guidance goes away from its null prompt.
        scale: Guidance scale.
        steps: Steps from noise to image.

    Returns:
        Clean latents ``(b c lh lw)``.

    Raises:
        ValueError: If ``steps`` is not from 1 to the number of training timesteps.
    """
    total = len(prior.alphas_cumprod)
    if not 1 <= steps <= total:
        raise ValueError(f"steps: {steps} is not from 1 to {total}, the prior's training timesteps")
    stride, noisy = total // steps, noise
    for t in range(stride * (steps - 1) + 1, 0, -stride):
        now = torch.full((len(noisy),), t, device=noisy.device)
        prediction = guided_prediction(prior, noisy, now, prompt, scale)
        if t > 1:
            alpha, sigma = levels(prior, now - stride)
            noisy = alpha * prediction.target + sigma * prediction.noise
    return prediction.target


@torch.no_grad()
def sample_images(
    prior: Prior, texts: Sequence[str], *, generator: torch.Generator, scale: float, steps: int = 50
) -> Tensor:
    """A DDIM sample for each text, ``(b 3 h w)`` in [0, 1] at the prior's resolution.

    Args:
        prior: The diffusion prior.
        texts: A prompt for each image.
        generator: Draws the noise x_T, on the CPU.
        scale: Guidance scale, against the null prompt.
        steps: Steps from noise to image.
    """
    noise = torch.randn(len(texts), *prior.latent_shape, generator=generator).to(prior.device)
    images = []
    for first in range(0, len(texts), _AT_ONCE):
        some = slice(first, first + _AT_ONCE)
        positive = prior.embed(texts[some])
        null = prior.null(len(positive))
        latents = ddim_sample(prior, noise[some], ViewPrompt(positive, null, null), scale, steps)
        # one by one: decoding takes more memory than everything else
        images += [prior.decode(latent[None]) for latent in latents]
    return torch.cat(images)

"""The prior's own sampler: DDIM from noise to a picture, what distillation is measured against in 2D."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from methods.contracts import Prior
from methods.priors.guidance import guided_prediction, levels


@torch.no_grad()
def ddim_sample(
    prior: Prior,
    noise: Tensor,
    *,
    positive: Tensor,
    base: Tensor,
    scale: float,
    steps: int = 50,
    on_step: Callable[[int, Tensor], None] | None = None,
) -> Tensor:
    """Deterministic DDIM sampling (eq. 12 of arXiv 2010.02502 with η = 0).

    Equals diffusers' ``DDIMScheduler`` with ``use_clipped_model_output`` and leading timestep spacing.

    Args:
        prior: The diffusion prior.
        noise: x_T, ``(b c lh lw)``.
        positive: Conditioning ``(b n d)``.
        base: Null or negative conditioning ``(b n d)``.
        scale: Guidance scale.
        steps: Steps from noise to picture.
        on_step: Called with each timestep and the clean latents predicted there.

    Returns:
        Clean latents ``(b c lh lw)``.
    """
    total = len(prior.alphas_cumprod)
    stride = total // steps
    noisy = noise
    for t in range(stride * (steps - 1) + 1, 0, -stride):
        now = torch.full((len(noise),), t, device=noise.device)
        out = guided_prediction(prior, noisy, now, positive=positive, base=base, scale=scale)
        signal, spread = levels(prior, (now - stride).clamp_min(0))
        noisy = signal * out.target + spread * out.noise
        if on_step is not None:
            on_step(t, out.target)
    return out.target

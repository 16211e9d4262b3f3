"""The prior's own samplers, from noise to a picture: what distillation is measured against in 2D."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from methods.contracts import Prior
from methods.diffusion.guidance import guided_prediction, levels

#: Called with each timestep and the clean latents predicted there.
OnStep = Callable[[int, Tensor], None]


def ddim_sample(
    prior: Prior,
    noise: Tensor,
    *,
    positive: Tensor,
    base: Tensor,
    scale: float,
    steps: int = 50,
    on_step: OnStep | None = None,
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

    Raises:
        ValueError: If ``steps`` is not from 1 to the number of training timesteps.
    """
    return _sample(prior, noise, None, positive, base, scale, steps, on_step)


def ddpm_sample(
    prior: Prior,
    noise: Tensor,
    *,
    generator: torch.Generator,
    positive: Tensor,
    base: Tensor,
    scale: float,
    steps: int = 50,
    on_step: OnStep | None = None,
) -> Tensor:
    """Ancestral sampling: eq. 12 of arXiv 2010.02502 with η = 1, the posterior q(x_s | x_t, x̂0) of DDPM.

    Equals diffusers' ``DDPMScheduler`` with ``fixed_small`` variance, leading timestep spacing and the same
    generator, and its ``DDIMScheduler`` with ``eta=1`` and ``use_clipped_model_output``.

    Args:
        prior: The diffusion prior.
        noise: x_T, ``(b c lh lw)``.
        generator: Of the noise that each step but the last adds.
        positive: Conditioning ``(b n d)``.
        base: Null or negative conditioning ``(b n d)``.
        scale: Guidance scale.
        steps: Steps from noise to picture.
        on_step: Called with each timestep and the clean latents predicted there.

    Returns:
        Clean latents ``(b c lh lw)``.

    Raises:
        ValueError: If ``steps`` is not from 1 to the number of training timesteps.
    """
    return _sample(prior, noise, generator, positive, base, scale, steps, on_step)


@torch.no_grad()
def sample_pictures(
    prior: Prior, texts: Sequence[str], *, generator: torch.Generator, scale: float, steps: int = 50
) -> Tensor:
    """A DDIM sample for each text, ``(b 3 h w)`` in [0, 1] at the prior's resolution.

    Args:
        prior: The diffusion prior.
        texts: What the pictures should show; guided away from the empty text.
        generator: Of the noise x_T, on the CPU.
        scale: Guidance scale.
        steps: Steps from noise to picture.
    """
    device = prior.alphas_cumprod.device
    shape = prior.encode(torch.zeros(1, 3, prior.resolution, prior.resolution, device=device)).shape[1:]
    noise = torch.randn(len(texts), *shape, generator=generator).to(device)
    positive, null = prior.embed(texts), prior.embed([""] * len(texts))
    latents = ddim_sample(prior, noise, positive=positive, base=null, scale=scale, steps=steps)
    # one by one: decoding takes more memory than all else
    return torch.cat([prior.decode(latent[None]) for latent in latents])


@torch.no_grad()
def _sample(
    prior: Prior,
    noisy: Tensor,
    generator: torch.Generator | None,
    positive: Tensor,
    base: Tensor,
    scale: float,
    steps: int,
    on_step: OnStep | None,
) -> Tensor:
    """Eq. 12 with η = 1 where there is a ``generator``, η = 0 where there is none."""
    total = len(prior.alphas_cumprod)
    if not 1 <= steps <= total:
        raise ValueError(f"steps: {steps} is not from 1 to {total}, the prior's training timesteps")
    stride = total // steps
    for t in range(stride * (steps - 1) + 1, 0, -stride):
        now = torch.full((len(noisy),), t, device=noisy.device)
        out = guided_prediction(prior, noisy, now, positive=positive, base=base, scale=scale)
        if on_step is not None:
            on_step(t, out.target)
        if t == 1:
            break
        signal, spread = levels(prior, now - stride)
        if generator is None:
            noisy = signal * out.target + spread * out.noise
        else:
            earlier_signal, earlier_spread = levels(prior, now)
            sigma = spread / earlier_spread * (1 - (earlier_signal / signal).square()).sqrt()  # eq. 16
            fresh = torch.randn(noisy.shape, generator=generator, device=generator.device).to(noisy)
            noisy = signal * out.target + (spread.square() - sigma.square()).sqrt() * out.noise + sigma * fresh
    return out.target

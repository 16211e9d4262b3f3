"""Classifier-free guidance and Perp-Neg in one convention, and the picture a noise prediction stands for."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from methods.contracts import Perpendicular, Prior
from methods.transfer import to_device


class Prediction(NamedTuple):
    """A guided prediction at x_t, told in both ways; the two always agree with each other."""

    noise: Tensor  # (b c lh lw)
    target: Tensor  # (b c lh lw), the clean latents that x_t and the noise stand for


def guided_prediction(
    prior: Prior,
    noisy: Tensor,
    timesteps: Tensor,
    *,
    positive: Tensor,
    base: Tensor,
    scale: float,
    perpendicular: Perpendicular | None = None,
) -> Prediction:
    """The prediction of ``guided_noise``, within the prior's picture range.

    Where the prior bounds its pictures (``Prior.bound``), the clean picture is held within them and the noise
    re-derived from it, as pixel-space samplers do; otherwise the prediction is left alone.

    Args:
        prior: The diffusion prior.
        noisy: x_t, ``(b c lh lw)``.
        timesteps: ``(b,)`` integers.
        positive: Conditioning ``(b n d)`` to go towards.
        base: Conditioning ``(b n d)`` to go away from (the null or a negative prompt).
        scale: The guidance scale s.
        perpendicular: What else to go away from, across the direction of ``positive``; None without Perp-Neg.
    """
    noise = guided_noise(
        prior, noisy, timesteps, positive=positive, base=base, scale=scale, perpendicular=perpendicular
    )
    return bounded(prior, noisy, timesteps, noise)


def guided_noise(
    prior: Prior,
    noisy: Tensor,
    timesteps: Tensor,
    *,
    positive: Tensor,
    base: Tensor,
    scale: float,
    perpendicular: Perpendicular | None = None,
) -> Tensor:
    """ε_base + s·(ε_positive − ε_base) (eq. 3 of arXiv 2405.15891; s = 1 is the conditional prediction).

    With Perp-Neg, ε_base + s·(e + Σ_i w_i·(e_i)⊥e), where e = ε_positive − ε_base, e_i = ε_i − ε_base and ⊥ takes
    what of e_i is perpendicular to e (arXiv 2304.04968).  A negative s turns all of it round, as threestudio does.

    With s = 0, or s = 1 and no Perp-Neg, only the row that counts is evaluated; else all are, in one call.  The
    arguments are those of ``guided_prediction``; the timesteps may be any that the prior takes.
    """
    timesteps = to_device(timesteps, noisy.device)
    if scale == 0.0:
        return prior.predict_noise(noisy, timesteps, base)
    if perpendicular is None:
        if scale == 1.0:
            return prior.predict_noise(noisy, timesteps, positive)
        towards, away = predict_rows(prior, noisy, timesteps, positive, base)
        return away + scale * (towards - away)
    negatives = perpendicular.embeddings.unbind(1)
    towards, away, *others = predict_rows(prior, noisy, timesteps, positive, base, *negatives)
    direction = guidance = towards - away
    for other, weight in zip(others, perpendicular.weights.to(direction).unbind(1), strict=True):
        guidance = guidance + weight[:, None, None, None] * perpendicular_part(other - away, direction)
    return away + scale * guidance


def predict_rows(prior: Prior, noisy: Tensor, timesteps: Tensor, *conditionings: Tensor) -> tuple[Tensor, ...]:
    """The prior's noise under each of several conditionings, in one batched call."""
    count, timesteps = len(conditionings), to_device(timesteps, noisy.device)
    noise = prior.predict_noise(
        torch.cat([noisy] * count), torch.cat([timesteps] * count), torch.cat(list(conditionings))
    )
    return noise.chunk(count)


def perpendicular_part(vectors: Tensor, axes: Tensor) -> Tensor:
    """What of each sample's vector ``(b c h w)`` is perpendicular to its axis; all of it where the axis is zero."""
    over = (1, 2, 3)
    length = axes.square().sum(over, keepdim=True).clamp_min(torch.finfo(axes.dtype).tiny)
    return vectors - (vectors * axes).sum(over, keepdim=True) / length * axes


def bounded(prior: Prior, noisy: Tensor, timesteps: Tensor, noise: Tensor) -> Prediction:
    """The prediction that ``noise`` at x_t stands for, within the prior's picture range."""
    signal, spread = levels(prior, timesteps)
    target = (noisy - spread * noise) / signal
    held = prior.bound(target)
    return Prediction(noise, target) if held is target else Prediction((noisy - signal * held) / spread, held)


def levels(prior: Prior, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """√ᾱ_t and √(1 − ᾱ_t) as ``(b 1 1 1)`` on the prior's device."""
    alpha = prior.alphas_cumprod[to_device(timesteps, prior.alphas_cumprod.device)][:, None, None, None]
    return alpha.sqrt(), (1 - alpha).sqrt()


def add_noise(prior: Prior, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """x_t = √ᾱ_t x + √(1 − ᾱ_t) ε."""
    signal, spread = levels(prior, timesteps)
    return signal * latents + spread * noise

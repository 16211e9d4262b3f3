"""Classifier-free guidance in one convention, and the picture a noise prediction stands for."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from methods.contracts import Prior


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
) -> Prediction:
    """ε_base + s·(ε_positive − ε_base) (eq. 3 of arXiv 2405.15891; s = 1 is the conditional prediction).

    With s = 0 or s = 1 only the row that counts is evaluated.  Where the prior bounds its pictures
    (``Prior.bound``), the clean picture is held within them and the noise re-derived from it, as pixel-space
    samplers do; otherwise the prediction is left alone.

    Args:
        prior: The diffusion prior.
        noisy: x_t, ``(b c lh lw)``.
        timesteps: ``(b,)`` integers.
        positive: Conditioning ``(b n d)`` to go towards.
        base: Conditioning ``(b n d)`` to go away from (the null or a negative prompt).
        scale: The guidance scale s.
    """
    if scale == 0.0:
        noise = prior.predict_noise(noisy, timesteps, base)
    elif scale == 1.0:
        noise = prior.predict_noise(noisy, timesteps, positive)
    else:
        towards, away = predict_rows(prior, noisy, timesteps, positive, base)
        noise = away + scale * (towards - away)
    return bounded(prior, noisy, timesteps, noise)


def predict_rows(prior: Prior, noisy: Tensor, timesteps: Tensor, *conditionings: Tensor) -> tuple[Tensor, ...]:
    """The prior's noise under each of several conditionings, in one batched call."""
    count = len(conditionings)
    noise = prior.predict_noise(
        torch.cat([noisy] * count), torch.cat([timesteps] * count), torch.cat(list(conditionings))
    )
    return noise.chunk(count)


def bounded(prior: Prior, noisy: Tensor, timesteps: Tensor, noise: Tensor) -> Prediction:
    """The prediction that ``noise`` at x_t stands for, within the prior's picture range."""
    signal, spread = levels(prior, timesteps)
    target = (noisy - spread * noise) / signal
    held = prior.bound(target)
    return Prediction(noise, target) if held is target else Prediction((noisy - signal * held) / spread, held)


def levels(prior: Prior, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """√ᾱ_t and √(1 − ᾱ_t) as ``(b 1 1 1)``."""
    alpha = prior.alphas_cumprod.to(timesteps.device)[timesteps][:, None, None, None]
    return alpha.sqrt(), (1 - alpha).sqrt()


def add_noise(prior: Prior, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """x_t = √ᾱ_t x + √(1 − ᾱ_t) ε."""
    signal, spread = levels(prior, timesteps)
    return signal * latents + spread * noise

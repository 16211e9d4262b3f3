"""Classifier-free guidance and Perp-Neg in one convention, and the image that a noise prediction stands for.

The paper's symbols are the field's: x_t = α_t x + σ_t ε with α_t = √ᾱ_t and σ_t = √(1 − ᾱ_t).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from methods.conditioning import Conditioning
from methods.contracts import Prior, ViewPrompt
from methods.transfer import to_device

#: The conditioning of a :class:`ViewPrompt` that guidance goes away from.
Against = Literal["null", "negative"]


#: Added to deviations that are divided, as in MVDream's code.
_TINY = 1e-8


class Prediction(NamedTuple):
    """A prediction at x_t in both parametrisations, which always agree with each other."""

    noise: Tensor  # (b c lh lw)
    target: Tensor  # (b c lh lw), the clean latents that x_t and the noise stand for


class Query(NamedTuple):
    """One evaluation of the network, for each view of a batch."""

    noisy: Tensor  # x_t, (b c lh lw)
    timesteps: Tensor  # (b,)
    conditioning: Conditioning


def guided_prediction(
    prior: Prior,
    noisy: Tensor,
    timesteps: Tensor,
    prompt: ViewPrompt,
    scale: float,
    against: Against = "null",
    *,
    inverting: bool = False,
) -> Prediction:
    """The prediction of :func:`guided_noise`, within the prior's range of images.

    If the prior bounds its images (``Prior.bound``), the clean image is moved into that range and the noise computed
    from it again, as pixel-space samplers do; otherwise the prediction is unchanged.

    Args:
        prior: The diffusion prior.
        noisy: x_t, ``(b c lh lw)``.
        timesteps: ``(b,)`` integers.
        prompt: The conditioning; its Perp-Neg part counts wherever there is one.
        scale: The guidance scale s; 0 is the prediction of ``against`` alone.
        against: What to go away from.
        inverting: True within an inversion, where the prior may bound its images or not, and guidance is not rescaled.
    """
    if inverting:
        prompt = prompt._replace(rescale=0.0)
    noise = guided_noise(prior, noisy, timesteps, prompt, scale, against)
    return bound_prediction(prior, noisy, timesteps, noise, inverting=inverting)


def guided_noise(
    prior: Prior, noisy: Tensor, timesteps: Tensor, prompt: ViewPrompt, scale: float, against: Against = "null"
) -> Tensor:
    """ε_base + s·(ε_positive − ε_base) (eq. 3 of arXiv 2405.15891; s = 1 is the conditional prediction).

    With Perp-Neg, ε_base + s·(e + Σ_i w_i·(e_i)⊥e), where e = ε_positive − ε_base, e_i = ε_i − ε_base and ⊥ takes
    the part of e_i that is perpendicular to e (arXiv 2304.04968).  A negative s flips the sign of all of it, as in
    threestudio.

    With s = 0, or s = 1 and no Perp-Neg, only the row that counts is evaluated; else all rows are, in one call.  The
    arguments are those of :func:`guided_prediction`; the timesteps may be any that the prior takes.
    """
    timesteps = to_device(timesteps, noisy.device)
    base = prompt.null if against == "null" else prompt.negative
    if scale == 0.0:
        return prior.predict_noise(noisy, timesteps, base)
    if prompt.perpendicular is None and scale == 1.0:
        return prior.predict_noise(noisy, timesteps, prompt.positive)
    towards, away, *others = predict_rows(prior, *queries(noisy, timesteps, prompt, prompt.positive, base))
    return guide(prior, noisy, timesteps, prompt, scale, towards, away, others)


def guide(
    prior: Prior,
    noisy: Tensor,
    timesteps: Tensor,
    prompt: ViewPrompt,
    scale: float,
    towards: Tensor,
    away: Tensor,
    others: Sequence[Tensor],
) -> Tensor:
    """ε̂ = ε_base + s·(ε_positive − ε_base), and rescaled where ``prompt.rescale`` is not 0.

    The rescaled one stands for (φ·σ_y/σ̂ + 1 − φ)·x̂0, σ̂ and σ_y being the deviations, over a view, of x̂0 and of the
    clean image that ε_positive stands for (section 3.4 of arXiv 2305.08891, on the clean image as in MVDream's code).

    Args:
        prior: The diffusion prior.
        noisy: x_t, ``(b c lh lw)``.
        timesteps: ``(b,)``.
        prompt: The conditioning.
        scale: s.
        towards: ε_positive, ``(b c lh lw)``.
        away: ε_base.
        others: ε of the negatives of Perp-Neg in the order of :func:`queries`; empty without Perp-Neg.
    """
    guided = away + scale * direction(prompt, towards, away, others)
    if prompt.rescale == 0.0:
        return guided
    alpha, sigma = levels(prior, timesteps)
    clean, conditional = ((noisy - sigma * noise) / alpha for noise in (guided, towards))
    over = (1, 2, 3)
    ratio = (conditional.std(over, keepdim=True) + _TINY) / (clean.std(over, keepdim=True) + _TINY)
    return (noisy - alpha * (1 + prompt.rescale * (ratio - 1)) * clean) / sigma


def queries(noisy: Tensor, timesteps: Tensor, prompt: ViewPrompt, *conditioning: Conditioning) -> list[Query]:
    """A query for each ``conditioning``, and one for each negative of Perp-Neg, if the prompt has them."""
    negatives = () if prompt.perpendicular is None else prompt.perpendicular.conditioning
    return [Query(noisy, timesteps, each) for each in (*conditioning, *negatives)]


def direction(prompt: ViewPrompt, towards: Tensor, away: Tensor, others: Sequence[Tensor]) -> Tensor:
    """The direction of guidance ε_positive − ε_base, with the perpendicular parts of Perp-Neg.

    Args:
        prompt: The conditioning.
        towards: ε_positive, ``(b c lh lw)``.
        away: ε_base.
        others: ε of the negatives of Perp-Neg in the order of :func:`queries`; empty without Perp-Neg.
    """
    guidance = plain = towards - away
    if prompt.perpendicular is not None:
        weights = prompt.perpendicular.weights.to(plain).unbind(1)
        for other, weight in zip(others, weights, strict=True):
            guidance = guidance + weight[:, None, None, None] * perpendicular_part(other - away, plain)
    return guidance


def predict_rows(prior: Prior, *queries: Query) -> tuple[Tensor, ...]:
    """The prior's noise for each query, in one batched call; each has its own x_t and timesteps."""
    noise = prior.predict_noise(
        torch.cat([query.noisy for query in queries]),
        torch.cat([to_device(query.timesteps, query.noisy.device) for query in queries]),
        Conditioning.cat([query.conditioning for query in queries]),
    )
    return noise.split([len(query.noisy) for query in queries])


def perpendicular_part(vectors: Tensor, axes: Tensor) -> Tensor:
    """The part of each sample's vector ``(b c h w)`` that is perpendicular to its axis; all of it for a zero axis."""
    over = (1, 2, 3)
    length = axes.square().sum(over, keepdim=True).clamp_min(torch.finfo(axes.dtype).tiny)
    return vectors - (vectors * axes).sum(over, keepdim=True) / length * axes


def bound_prediction(
    prior: Prior, noisy: Tensor, timesteps: Tensor, noise: Tensor, *, inverting: bool = False
) -> Prediction:
    """The prediction that ``noise`` at x_t stands for, within the prior's range of images.

    Each prediction that a method's update is made of goes through here, so that all methods are treated alike.
    """
    alpha, sigma = levels(prior, timesteps)
    target = (noisy - sigma * noise) / alpha
    bounded = prior.bound(target, inverting=inverting)
    return Prediction(noise, target) if bounded is target else Prediction((noisy - alpha * bounded) / sigma, bounded)


def levels(prior: Prior, timesteps: Tensor) -> tuple[Tensor, Tensor]:
    """α_t = √ᾱ_t and σ_t = √(1 − ᾱ_t) as ``(b 1 1 1)`` on the prior's device."""
    alpha_bar = prior.alphas_cumprod[to_device(timesteps, prior.device)][:, None, None, None]
    return alpha_bar.sqrt(), (1 - alpha_bar).sqrt()


def add_noise(prior: Prior, latents: Tensor, noise: Tensor, timesteps: Tensor) -> Tensor:
    """x_t = α_t x + σ_t ε."""
    alpha, sigma = levels(prior, timesteps)
    return alpha * latents + sigma * noise

"""The prior's own sampler, from noise to an image: the reference of distillation in 2D."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from methods.contracts import Prior, ViewPrompt
from methods.diffusion.guidance import Prediction, guided_prediction, levels
from methods.settings import require
from methods.transfer import to_device

#: Images sampled in one batch, so that a small device has room for them.
_AT_ONCE = 8

#: ᾱ of a last timestep that the image has no part in; Stable Diffusion's is 0.0047.
_NOISE_ALONE = 1e-4


@torch.no_grad()
def ddim_sample(prior: Prior, noise: Tensor, prompt: ViewPrompt, scale: float, steps: int = 50) -> Tensor:
    """Deterministic DDIM sampling (eq. 12 of arXiv 2010.02502 with η = 0).

    Equals diffusers' ``DDIMScheduler`` with ``use_clipped_model_output`` and leading timestep spacing, which never asks
    for the noisiest timesteps.  A table that ends in noise alone, a flow's, is walked from end to end (linspace).

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
    require(1 <= steps <= total, "steps", steps, f"from 1 to {total}, the prior's training timesteps")
    stride, noisy = total // steps, noise
    if bool(prior.alphas_cumprod[-1] < _NOISE_ALONE):
        path = torch.linspace(total - 1, 0, steps).round().long().tolist()
    else:
        path = list(range(stride * (steps - 1) + 1, 0, -stride))
    for t, after in zip(path, [*path[1:], None], strict=True):
        now = torch.full((len(noisy),), t, device=noisy.device)
        prediction = guided_prediction(prior, noisy, now, prompt, scale)
        if after is not None:
            alpha, sigma = levels(prior, torch.full_like(now, after))
            noisy = alpha * prediction.target + sigma * prediction.noise
    return prediction.target


class Walked(NamedTuple):
    """The end of a walk of DDIM steps; each tensor is ``(b c lh lw)``."""

    noisy: Tensor  # the latents at the path's last timestep
    before: Tensor  # the latents at the timestep before it
    noise: Tensor  # the noise that was predicted there


class Fresh(NamedTuple):
    """Noise that is drawn again in each DDIM step: its stochastic form (eq. 12 and 16 of arXiv 2010.02502)."""

    eta: float  # η: 0 is deterministic, with 1 the noise of a step is that of ancestral sampling
    generator: torch.Generator


@torch.no_grad()
def ddim_walk(
    prior: Prior,
    noisy: Tensor,
    path: Tensor,
    prompt: ViewPrompt,
    scale: float,
    *,
    inverting: bool = False,
    fresh: Fresh | None = None,
) -> Walked:
    """Carry latents along ``path`` by deterministic DDIM steps, x_{t'} = α_{t'} x̂0(x_t) + σ_{t'} ε̂(x_t).

    Args:
        prior: The diffusion prior.
        noisy: The latents at the path's first timesteps, ``(b c lh lw)``.
        path: At least two timesteps ``(k b)``, on the host, which fall (sampling) or rise (inversion).  A view whose
            timestep does not change stays where it is, and no row is evaluated for it.
        prompt: The conditioning.
        scale: Guidance scale.
        inverting: True within an inversion, where the prior may bound its images or not.
        fresh: Noise that is drawn again in each step; None for deterministic steps.
    """
    end = Walked(noisy, noisy, torch.zeros_like(noisy))
    for now, then in pairwise(path):
        moving = (then != now).nonzero()[:, 0]
        if len(moving) == len(now):
            end = _step(prior, end.noisy, now, then, prompt, scale, inverting, fresh)
        elif len(moving) > 0:
            views = to_device(moving, noisy.device)
            some = prompt.select(views)
            moved = _step(prior, end.noisy[views], now[moving], then[moving], some, scale, inverting, fresh)
            end = Walked(*(old.index_copy(0, views, new) for old, new in zip(end, moved, strict=True)))
    return end


def _step(
    prior: Prior,
    noisy: Tensor,
    now: Tensor,
    then: Tensor,
    prompt: ViewPrompt,
    scale: float,
    inverting: bool,
    fresh: Fresh | None,
) -> Walked:
    """One DDIM step from timesteps ``now`` to ``then``, each ``(b,)``."""
    now, then = to_device(now, noisy.device), to_device(then, noisy.device)
    prediction = guided_prediction(prior, noisy, now, prompt, scale, inverting=inverting)
    return Walked(_carried(prior, prediction, now, then, fresh), noisy, prediction.noise)


def _carried(prior: Prior, prediction: Prediction, now: Tensor, then: Tensor, fresh: Fresh | None) -> Tensor:
    """The latents at ``then`` ``(b,)`` that a prediction at ``now`` leads to, some of their noise drawn again."""
    alpha, sigma = levels(prior, then)
    if fresh is None:
        return alpha * prediction.target + sigma * prediction.noise
    before, deviation = levels(prior, now)
    drawn = torch.randn(prediction.noise.shape, generator=fresh.generator, device=fresh.generator.device)
    again = fresh.eta * sigma / deviation * (1 - (before / alpha).square()).sqrt()
    kept = (sigma.square() - again.square()).clamp_min(0).sqrt()
    return alpha * prediction.target + kept * prediction.noise + again * to_device(drawn, prediction.noise)


def denoise(
    prior: Prior,
    noisy: Tensor,
    timesteps: Tensor,
    prompt: ViewPrompt,
    scale: float,
    steps: int,
    fresh: Fresh | None = None,
) -> Prediction:
    """Φ(x_t), the clean latents at the end of the DDIM path from x_t, and the noise predicted at x_t.

    The path has the strides of a sampler of ``steps`` steps: t, t − T/n, t − 2T/n, … as long as they are positive, so
    that a view takes about n·t/T of them, as it does in an inversion.  With one step Φ is x̂0, the posterior mean.

    Args:
        prior: The diffusion prior.
        noisy: x_t, ``(b c lh lw)``.
        timesteps: t, ``(b,)``, on the host.
        prompt: The conditioning.
        scale: Guidance scale.
        steps: n, the steps of a whole path (from T).
        fresh: Noise that is drawn again in each step but the last; None for the deterministic path.
    """
    first = guided_prediction(prior, noisy, timesteps, prompt, scale)
    timesteps = timesteps.cpu()  # where methods draw them
    stride = max(1, len(prior.alphas_cumprod) // steps)
    counts = ((timesteps - 1) // stride).clamp_min(0)  # steps after the first
    path = timesteps - stride * torch.minimum(torch.arange(int(counts.max()) + 1)[:, None], counts)
    if len(path) == 1:
        return first
    second = _carried(prior, first, timesteps, path[1], fresh)
    end = ddim_walk(prior, second, path[1:], prompt, scale, fresh=fresh).noisy if len(path) > 2 else second
    return Prediction(first.noise, guided_prediction(prior, end, path[-1], prompt, scale).target)


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

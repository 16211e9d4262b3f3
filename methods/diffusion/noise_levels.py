"""Tables of noise levels: what α_t and σ_t are at each timestep of a prior.

All priors are variance preserving to methods, x_t = α_t x + σ_t ε with α_t² + σ_t² = 1, and a prior's table lists
ᾱ_t = α_t².  A rectified flow, z_s = (1 − s)·x + s·ε, is the same family scaled: z_s = x_t / (α_t + σ_t) at the time
s = σ_t / (α_t + σ_t), so that a flow has a table too.  Ours has Stable Diffusion's signal-to-noise ratios: a timestep
then means the same noise under every prior, and no method needs to know which kind it has.
"""

from __future__ import annotations

import math
from collections.abc import MutableMapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils.weak import WeakIdKeyDictionary

_BETAS = (0.00085, 0.012)  # of Stable Diffusion
_STEPS = 1000

#: The first timestep at which a flow's table leaves Stable Diffusion's, on its way to ``_LAST_TIME``.  Methods go up to
#: 0.98·T; a sampler starts at the end, and a flow is trained on noise without an image, which SD's last step is not.
_LEAVES = 980
_LAST_TIME = 0.999  # at 1 nothing is left of the image, whose prediction divides by α

#: What :func:`log_snr_on_host` has read, by table.
_ON_HOST: MutableMapping[Tensor, Tensor] = WeakIdKeyDictionary()


class FlowPoint(NamedTuple):
    """x_t as a rectified flow has it."""

    latents: Tensor  # z_s, (b c lh lw)
    time: Tensor  # s in (0, 1), (b 1 1 1)

    def noise(self, velocity: Tensor) -> Tensor:
        """The noise ε that the velocity ε − x ``(b c lh lw)`` stands for: z_s + (1 − s)·v."""
        return self.latents + (1 - self.time) * velocity


def scaled_linear_levels() -> Tensor:
    """ᾱ of Stable Diffusion 1 and 2, ``(1000,)`` in float64: β grows linearly in its square root."""
    first, last = _BETAS
    betas = torch.linspace(first**0.5, last**0.5, _STEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - betas, dim=0)


def flow_levels() -> Tensor:
    """ᾱ of a rectified flow's timesteps, ``(1000,)`` in float64.

    They are Stable Diffusion's up to 0.98·T.  From there log-SNR falls in equal steps to that of the time s = 0.999.
    """
    levels = scaled_linear_levels()
    log_snr = torch.logit(levels)
    last = 2 * math.log((1 - _LAST_TIME) / _LAST_TIME)
    steps = torch.linspace(0, 1, _STEPS - _LEAVES + 1, dtype=torch.float64)
    log_snr[_LEAVES - 1 :] = log_snr[_LEAVES - 1] + steps * (last - log_snr[_LEAVES - 1])
    return torch.cat([levels[:_LEAVES], torch.sigmoid(log_snr[_LEAVES:])])


def flow_times(alphas_cumprod: Tensor) -> Tensor:
    """The flow's time s = σ/(α + σ) of each ᾱ, of the same shape."""
    alpha, sigma = alphas_cumprod.sqrt(), (1 - alphas_cumprod).sqrt()
    return sigma / (alpha + sigma)


def log_snr(alphas_cumprod: Tensor) -> Tensor:
    """log(α²/σ²) of each ᾱ, of the same shape."""
    return torch.logit(alphas_cumprod)


def log_snr_on_host(alphas_cumprod: Tensor) -> Tensor:
    """log(α²/σ²) of a prior's table ``(T,)``, in float64 on the host; a device is read once for each table.

    Whatever needs it in a step asks for it before the first one (``Component.start``).
    """
    if alphas_cumprod not in _ON_HOST:
        _ON_HOST[alphas_cumprod] = log_snr(alphas_cumprod.detach().cpu().double())
    return _ON_HOST[alphas_cumprod]


def flow_point(latents: Tensor, alphas_cumprod: Tensor) -> FlowPoint:
    """The point of the flow that x_t ``(b c lh lw)`` at ᾱ ``(b 1 1 1)`` is, in the precision of x_t."""
    alphas_cumprod = alphas_cumprod.to(latents)
    scale = alphas_cumprod.sqrt() + (1 - alphas_cumprod).sqrt()
    return FlowPoint(latents / scale, flow_times(alphas_cumprod))

"""The two ways to corrupt a clean image in training: Stable Diffusion's noise schedule, and a rectified flow.

In both the network predicts a velocity: an error in predicted noise would be blown up √((1−ᾱ)/ᾱ)-fold in the clean
image, thirteenfold at the noisy end, where a small network would spend itself on copying its input.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch

import methods.torchvision_shim  # noqa: F401  (before diffusers)

# isort: split
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler
from torch import Tensor, nn

_TIMESTEPS = 1000


class Corrupted(NamedTuple):
    """A batch of noisy latents and what the network is to predict in them."""

    noisy: Tensor  # (b c lh lw)
    timesteps: Tensor  # (b,), as the network reads them: 0 to 1000
    velocity: Tensor  # (b c lh lw)


class Objective(NamedTuple):
    """A way to corrupt images, and the scheduler whose configuration names it in a pipeline folder."""

    scheduler: Callable[[], DDIMScheduler | FlowMatchEulerDiscreteScheduler]
    corrupt: Callable[[Tensor, Tensor, Tensor], Corrupted]
    """Takes clean latents, noise and the share of the way to pure noise ``(b,)`` in [0, 1)."""


def objective_loss(
    objective: Objective, network: nn.Module, batch: tuple[Tensor, Tensor], generator: torch.Generator
) -> Tensor:
    """Mean squared error of the predicted velocity, at one noise level from each of equal slices of the way."""
    clean, tokens = batch
    noise = torch.randn(clean.shape, generator=generator)
    way = (torch.arange(len(clean)) + torch.rand(len(clean), generator=generator)) / len(clean)
    corrupted = objective.corrupt(clean, noise, way)
    return nn.functional.mse_loss(network(corrupted.noisy, corrupted.timesteps, tokens), corrupted.velocity)


def _diffusion_scheduler() -> DDIMScheduler:
    return DDIMScheduler(
        num_train_timesteps=_TIMESTEPS,
        beta_schedule="scaled_linear",
        beta_start=0.00085,
        beta_end=0.012,
        clip_sample=False,
        set_alpha_to_one=False,
        steps_offset=1,
        prediction_type="v_prediction",
    )


def _flow_scheduler() -> FlowMatchEulerDiscreteScheduler:
    return FlowMatchEulerDiscreteScheduler(num_train_timesteps=_TIMESTEPS, shift=1.0)


_ALPHAS = _diffusion_scheduler().alphas_cumprod


def _diffuse(clean: Tensor, noise: Tensor, way: Tensor) -> Corrupted:
    """v-prediction (appendix D of arXiv 2202.00512) at a whole timestep of the schedule."""
    timesteps = (way * len(_ALPHAS)).long()
    alpha = _ALPHAS[timesteps][:, None, None, None]
    noisy = alpha.sqrt() * clean + (1 - alpha).sqrt() * noise
    return Corrupted(noisy, timesteps, alpha.sqrt() * noise - (1 - alpha).sqrt() * clean)


def _flow(clean: Tensor, noise: Tensor, way: Tensor) -> Corrupted:
    """The straight line from image to noise, z_s = (1 − s)·x + s·ε, whose velocity is ε − x (arXiv 2209.03003)."""
    s = way[:, None, None, None]
    return Corrupted((1 - s) * clean + s * noise, way * _TIMESTEPS, noise - clean)


#: The objectives by the name that the training's command takes.
OBJECTIVES: Mapping[str, Objective] = MappingProxyType(
    {
        "diffusion": Objective(_diffusion_scheduler, _diffuse),
        "flow": Objective(_flow_scheduler, _flow),
    }
)

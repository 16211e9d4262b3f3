"""The score-distillation methods, one file each, and what their updates have in common.

A method turns a batch of rendered views into a loss whose gradient with respect to the latents is the
method's update.  Every loss is ½‖x − sg(x − update)‖² summed over a view and averaged over the batch, so
updates of different methods have comparable size and add up the same way to the scene's penalties.
"""

from __future__ import annotations

import torch
from torch import Tensor

from methods.contracts import Method, Prior
from methods.registry import Registry

methods: Registry[type[Method]] = Registry("method", "methods.distillation")


def update_loss(latents: Tensor, update: Tensor) -> Tensor:
    """A scalar whose gradient with respect to ``latents`` ``(b c lh lw)`` is ``update`` / b."""
    aim = (latents - update).detach()
    return 0.5 * (latents - aim).square().sum() / len(latents)


def random_timesteps(prior: Prior, bounds: tuple[float, float], count: int, generator: torch.Generator) -> Tensor:
    """``(count,)`` timesteps drawn uniformly between two fractions of T, both ends included.

    They stay where the stream draws them, on the host: what depends on them there then need not wait for a device.
    """
    low, high = timestep_index(prior, bounds[0]), timestep_index(prior, bounds[1])
    return torch.randint(low, high + 1, (count,), generator=generator, device=generator.device)


def timestep_index(prior: Prior, fraction: float) -> int:
    """The training timestep at a fraction of T, held within the schedule."""
    steps = len(prior.alphas_cumprod)
    return min(int(fraction * steps + 1e-6), steps - 1)  # 0.2 · 1000 must not fall to 199


def check_fractions(name: str, bounds: tuple[float, float]) -> None:
    """Raise ``ValueError`` unless ``bounds`` are two increasing fractions in [0, 1]."""
    if not 0.0 <= bounds[0] <= bounds[1] <= 1.0:
        raise ValueError(f"{name}: {tuple(bounds)} is not an increasing pair of fractions of T in [0, 1]")

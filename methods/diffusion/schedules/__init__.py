"""Schedules of the diffusion timestep, one file each, and how fractions of T become timesteps."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.contracts import Prior, TimestepSchedule
from methods.registry import Registry
from methods.settings import require

schedules: Registry[type[TimestepSchedule]] = Registry(
    "timestep schedule", "methods.diffusion.schedules", base=TimestepSchedule
)


def draw_timesteps(prior: Prior, low: float, high: float, count: int, generator: torch.Generator) -> Tensor:
    """``(count,)`` timesteps drawn uniformly between two fractions of T, both ends included.

    They stay on the host, where the stream draws them: code there that depends on them does not wait for a device.
    """
    first, last = timestep_index(prior, low), timestep_index(prior, high)
    return torch.randint(first, last + 1, (count,), generator=generator, device=generator.device)


def draw_later(prior: Prior, timesteps: Tensor, share: float, above: float, generator: torch.Generator) -> Tensor:
    """A later timestep for each of ``timesteps`` ``(b,)``: t + Δ, at most T − 1, with Δ ~ U(0, share·(t − above·T))."""
    steps = len(prior.alphas_cumprod)
    largest = (share * (timesteps - timestep_index(prior, above))).clamp_min(0.0).minimum(steps - 1 - timesteps)
    drawn = torch.rand(timesteps.shape, generator=generator, device=generator.device).to(timesteps.device)
    return (timesteps + (largest * drawn).long()).clamp(1, steps - 1)


def timestep_index(prior: Prior, fraction: float) -> int:
    """The training timestep at a fraction of T, at most T − 1."""
    steps = len(prior.alphas_cumprod)
    return min(int(fraction * steps + 1e-6), steps - 1)  # 0.2 · 1000 must not fall to 199


def require_range(name: str, low: float, high: float, of: str = "T") -> None:
    """Raise ``ValueError`` unless ``low`` and ``high`` are increasing fractions of ``of`` in [0, 1]."""
    require(0.0 <= low <= high <= 1.0, name, (low, high), f"an increasing pair of fractions of {of} in [0, 1]")

"""Timesteps drawn uniformly in the time of a rectified flow."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.contracts import MethodState, Prior, TimestepSchedule
from methods.diffusion.noise_levels import log_snr_on_host
from methods.diffusion.schedules import require_range, schedules
from methods.settings import require


@schedules.register("flow_time")
@dataclass(frozen=True)
class FlowTime(TimestepSchedule):
    """u ~ U(low, high), for each view, is shifted to the flow's time s, and t is the timestep nearest to it in log-SNR.

    s = shift·u/(1 + (shift − 1)·u) (section 5.3.2 of Stable Diffusion 3, arXiv 2403.03206), whose SNR is ((1 − s)/s)².
    It works on every prior: a time beyond the prior's table becomes its first or last timestep.

    Raises:
        ValueError: If the bounds are not increasing fractions, or ``shift`` is not positive.
    """

    low: float = 0.02
    """Smallest u (``max_step_percent`` 0.98 of ``configs/rfds_sd3.yaml``: it counts from the noisy end)."""
    high: float = 0.7
    """Largest u (``min_step_percent`` 0.3 of ``configs/rfds_sd3.yaml``)."""
    shift: float = 3.0
    """Shift towards noise, that of Stable Diffusion 3; 1 draws s itself uniformly."""

    def __post_init__(self) -> None:
        require_range("low, high", self.low, self.high, of="the flow's time")
        require(self.shift > 0, "shift", self.shift, "a positive number")

    def start(self, prior: Prior) -> dict[str, MethodState]:
        """No state; the prior's table is read here, so that no step waits for it."""
        log_snr_on_host(prior.alphas_cumprod)
        return super().start(prior)

    def __call__(self, prior: Prior, progress: float, count: int, generator: torch.Generator) -> Tensor:
        """A timestep for each view, whatever the progress."""
        drawn = torch.rand(count, generator=generator, device=generator.device, dtype=torch.float64).cpu()
        u = self.low + (self.high - self.low) * drawn
        wanted = 2 * (torch.log1p(-u) - torch.log(self.shift * u))  # (1 − s)/s is (1 − u)/(shift·u)
        table = log_snr_on_host(prior.alphas_cumprod)
        above = torch.searchsorted(-table, -wanted).clamp(1, len(table) - 1)  # the table falls
        return above - (table[above - 1] - wanted < wanted - table[above]).long()

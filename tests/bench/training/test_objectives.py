"""The corruptions that the toybox's priors are trained with, against diffusers' schedulers."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from bench.training.objectives import OBJECTIVES, objective_loss


def _batch() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(4, 2, 3, 3, generator=generator), torch.randn(4, 2, 3, 3, generator=generator)


def test_diffusion_corrupts_as_diffusers_scheduler() -> None:
    clean, noise = _batch()
    objective = OBJECTIVES["diffusion"]
    out = objective.corrupt(clean, noise, torch.tensor([0.0, 0.3, 0.6, 0.999]))
    assert out.timesteps.tolist() == [0, 300, 600, 999]
    scheduler = objective.scheduler()
    torch.testing.assert_close(out.noisy, scheduler.add_noise(clean, noise, out.timesteps))
    torch.testing.assert_close(out.velocity, scheduler.get_velocity(clean, noise, out.timesteps))


def test_flow_corrupts_as_diffusers_scheduler() -> None:
    clean, noise = _batch()
    objective = OBJECTIVES["flow"]
    scheduler = objective.scheduler()
    timesteps = scheduler.timesteps[torch.tensor([0, 300, 600, 999])]
    out = objective.corrupt(clean, noise, timesteps / 1000)
    torch.testing.assert_close(out.timesteps, timesteps)
    torch.testing.assert_close(out.noisy, scheduler.scale_noise(clean, timesteps, noise))


def test_a_step_along_the_flows_velocity_leads_back_to_the_image() -> None:
    clean, noise = _batch()
    out = OBJECTIVES["flow"].corrupt(clean, noise, torch.full((4,), 0.7))
    torch.testing.assert_close(out.noisy - 0.7 * out.velocity, clean)


class _Zero(nn.Module):
    def forward(self, noisy: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        self.timesteps = timesteps
        return torch.zeros_like(noisy)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_draws_one_noise_level_from_each_slice(name: str) -> None:
    clean, _ = _batch()
    network = _Zero()
    loss = objective_loss(OBJECTIVES[name], network, (clean, torch.zeros(4)), torch.Generator().manual_seed(1))
    assert (network.timesteps // 250).tolist() == [0, 1, 2, 3]
    assert loss > 0

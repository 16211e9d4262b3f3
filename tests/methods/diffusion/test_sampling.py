"""The sampler against diffusers'."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from methods.diffusion.sampling import ddim_sample
from methods.priors.closed_form.gaussian import GaussianPrior

SCHEDULE = {"beta_start": 0.00085, "beta_end": 0.012, "beta_schedule": "scaled_linear", "steps_offset": 1}


def guided(prior, noisy, t, prompt, scale=3.0):
    timesteps = torch.tensor([int(t)] * 2)
    null = prior.predict_noise(noisy, timesteps, prompt.null)
    return null + scale * (prior.predict_noise(noisy, timesteps, prompt.positive) - null)


def start() -> torch.Tensor:
    return torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("steps", [1, 25, 30])  # 30 does not divide the schedule
@pytest.mark.parametrize("clip", [None, 1.0])
def test_sampler_equals_diffusers_ddim(clip, steps, prompt) -> None:
    prior = GaussianPrior(clip_target=clip)
    ours = ddim_sample(prior, start(), prompt, 3.0, steps)

    scheduler = DDIMScheduler(**SCHEDULE, clip_sample=clip is not None, set_alpha_to_one=False)
    scheduler.set_timesteps(steps)
    theirs = start()
    for t in scheduler.timesteps:
        noise = guided(prior, theirs, t, prompt)
        out = scheduler.step(noise, t, theirs, use_clipped_model_output=clip is not None)
        theirs = out.prev_sample
    torch.testing.assert_close(ours, out.pred_original_sample, rtol=1e-4, atol=1e-4)


def test_samples_have_the_prior_s_mean_and_deviation(prior, prompt) -> None:
    image = ddim_sample(prior, start(), prompt, 1.0)
    torch.testing.assert_close(image.mean(dim=(2, 3)), prompt.positive[:, 0], atol=0.1, rtol=0)
    assert float(image.std(dim=(2, 3)).mean()) == pytest.approx(prior.deviation, rel=0.15)


@pytest.mark.parametrize("steps", [0, 1001])
def test_an_impossible_number_of_steps_is_named(steps, prior, prompt) -> None:
    with pytest.raises(ValueError, match=f"steps: {steps} is not from 1 to 1000"):
        ddim_sample(prior, start(), prompt, 1.0, steps)

"""The sampler against diffusers'."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from methods.priors.gaussian import GaussianPrior
from methods.priors.sampling import ddim_sample


@pytest.mark.parametrize("clip", [None, 1.0])
def test_sampler_equals_diffusers(clip, prompt) -> None:
    prior = GaussianPrior(clip_target=clip)
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    ours = ddim_sample(prior, noise, positive=prompt.positive, base=prompt.null, scale=3.0, steps=25)

    scheduler = DDIMScheduler(
        beta_start=0.00085,
        beta_end=0.012,
        beta_schedule="scaled_linear",
        clip_sample=clip is not None,
        set_alpha_to_one=False,
        steps_offset=1,
    )
    scheduler.set_timesteps(25)
    theirs = noise
    for t in scheduler.timesteps:
        timesteps = torch.tensor([int(t)] * 2)
        null = prior.predict_noise(theirs, timesteps, prompt.null)
        guided = null + 3.0 * (prior.predict_noise(theirs, timesteps, prompt.positive) - null)
        out = scheduler.step(guided, t, theirs, use_clipped_model_output=clip is not None)
        theirs = out.prev_sample
    torch.testing.assert_close(ours, out.pred_original_sample, rtol=1e-4, atol=1e-4)


def test_samples_have_the_prior_s_mean(prior, prompt) -> None:
    noise = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    picture = ddim_sample(prior, noise, positive=prompt.positive, base=prompt.null, scale=1.0)
    torch.testing.assert_close(picture.mean(dim=(2, 3)), prompt.positive[:, 0], atol=0.1, rtol=0)
    assert float(picture.std(dim=(2, 3)).mean()) == pytest.approx(prior.deviation, rel=0.15)

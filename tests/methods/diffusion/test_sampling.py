"""The samplers against diffusers'."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler, DDPMScheduler

from methods.diffusion.sampling import ddim_sample, ddpm_sample
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
@pytest.mark.parametrize("eta", [0.0, 1.0])
def test_samplers_equal_diffusers_ddim(eta, clip, steps, prompt) -> None:
    prior = GaussianPrior(clip_target=clip)
    given = {"positive": prompt.positive, "base": prompt.null, "scale": 3.0, "steps": steps}
    if eta:
        ours = ddpm_sample(prior, start(), generator=torch.Generator().manual_seed(7), **given)
    else:
        ours = ddim_sample(prior, start(), **given)

    scheduler = DDIMScheduler(**SCHEDULE, clip_sample=clip is not None, set_alpha_to_one=False)
    scheduler.set_timesteps(steps)
    theirs, generator = start(), torch.Generator().manual_seed(7)
    for t in scheduler.timesteps:
        out = scheduler.step(
            guided(prior, theirs, t, prompt),
            t,
            theirs,
            eta=eta,
            use_clipped_model_output=clip is not None,
            generator=generator,
        )
        theirs = out.prev_sample
    torch.testing.assert_close(ours, out.pred_original_sample, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("clip", [None, 1.0])
def test_ancestral_sampling_equals_diffusers_ddpm(clip, prompt) -> None:
    """The other form of it: DDPM's posterior mean in x̂0 and x_t, with its variance β̃."""
    prior = GaussianPrior(clip_target=clip)
    seen: list[int] = []
    ours = ddpm_sample(
        prior, start(), generator=torch.Generator().manual_seed(7), positive=prompt.positive, base=prompt.null,
        scale=3.0, steps=25, on_step=lambda t, _: seen.append(t),
    )  # fmt: skip
    scheduler = DDPMScheduler(
        **SCHEDULE, clip_sample=clip is not None, variance_type="fixed_small", timestep_spacing="leading"
    )
    scheduler.set_timesteps(25)
    theirs, generator = start(), torch.Generator().manual_seed(7)
    for t in scheduler.timesteps:
        out = scheduler.step(guided(prior, theirs, t, prompt), t, theirs, generator=generator)
        theirs = out.prev_sample
    assert seen == scheduler.timesteps.tolist()
    torch.testing.assert_close(ours, out.pred_original_sample, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("ancestral", [False, True])
def test_samples_have_the_prior_s_mean_and_deviation(ancestral, prior, prompt) -> None:
    given = {"positive": prompt.positive, "base": prompt.null, "scale": 1.0}
    if ancestral:
        picture = ddpm_sample(prior, start(), generator=torch.Generator().manual_seed(7), steps=100, **given)
    else:
        picture = ddim_sample(prior, start(), **given)
    torch.testing.assert_close(picture.mean(dim=(2, 3)), prompt.positive[:, 0], atol=0.1, rtol=0)
    assert float(picture.std(dim=(2, 3)).mean()) == pytest.approx(prior.deviation, rel=0.15)


def test_only_ancestral_samples_depend_on_the_generator(prior, prompt) -> None:
    given = {"positive": prompt.positive, "base": prompt.null, "scale": 1.0, "steps": 10}
    first, again, other = (
        ddpm_sample(prior, start(), generator=torch.Generator().manual_seed(seed), **given) for seed in (1, 1, 2)
    )
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("steps", [0, 1001])
def test_an_impossible_number_of_steps_is_named(steps, prior, prompt) -> None:
    with pytest.raises(ValueError, match=f"steps: {steps} is not from 1 to 1000"):
        ddim_sample(prior, start(), positive=prompt.positive, base=prompt.null, scale=1.0, steps=steps)

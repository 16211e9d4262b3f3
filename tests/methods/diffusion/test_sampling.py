"""The sampler against diffusers'."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from methods.diffusion.guidance import guided_prediction
from methods.diffusion.sampling import ddim_sample, denoise
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
    torch.testing.assert_close(image.mean(dim=(2, 3)), prompt.positive.sequence[:, 0], atol=0.1, rtol=0)
    assert float(image.std(dim=(2, 3)).mean()) == pytest.approx(prior.deviation, rel=0.15)


@pytest.mark.parametrize("steps", [0, 1001])
def test_an_impossible_number_of_steps_is_named(steps, prior, prompt) -> None:
    with pytest.raises(ValueError, match=f"steps: {steps} is not from 1 to 1000"):
        ddim_sample(prior, start(), prompt, 1.0, steps)


@pytest.fixture
def exact() -> GaussianPrior:
    prior = GaussianPrior(clip_target=None)
    prior.alphas_cumprod = prior.alphas_cumprod.double()
    return prior


def test_the_end_of_the_path_is_the_gaussian_s_own_flow(exact, prompt) -> None:
    """For x ~ N(m, d²) the flow keeps (x_t − √ᾱ m)/√(ᾱ d² + 1 − ᾱ), and guidance moves m to m_∅ + s·(m − m_∅).

    The path's last step is a posterior mean, as a sampler's is.  Its error falls with the number of steps.
    """
    times, scale, noisy = torch.tensor([980, 401]), 3.0, start().double()
    level = lambda t: exact.alphas_cumprod[t][:, None, None, None]  # noqa: E731
    null, positive = (text.sequence.double()[:, 0, :, None, None] for text in (prompt.null, prompt.positive))
    mean, variance = null + scale * (positive - null), exact.deviation**2
    spread = lambda a: (a * variance + 1 - a).sqrt()  # noqa: E731

    def error(steps: int) -> float:
        stride = 1000 // steps
        a, b = level(times), level((times - 1) % stride + 1)
        at_last = b.sqrt() * mean + spread(b) / spread(a) * (noisy - a.sqrt() * mean)
        expected = mean + b.sqrt() * variance / spread(b) ** 2 * (at_last - b.sqrt() * mean)
        found = denoise(exact, noisy, times, prompt, scale, steps)
        return float((found.target - expected).abs().max())

    assert error(1000) < 1e-2
    assert error(1000) < error(200) / 4 < error(40) / 16
    assert error(1) < 1e-12  # one step is the posterior mean


def test_one_step_is_the_prediction_itself_and_a_view_takes_its_own_number_of_steps(exact, prompt) -> None:
    noisy = start().double()
    one = denoise(exact, noisy, torch.tensor([900, 30]), prompt, 3.0, 1)
    plain = guided_prediction(exact, noisy, torch.tensor([900, 30]), prompt, 3.0)
    assert all(torch.equal(*pair) for pair in zip(one, plain, strict=True))
    before = exact.rows
    both = denoise(exact, noisy, torch.tensor([900, 30]), prompt, 3.0, 4)
    assert exact.rows - before == 2 * (2 + 1 + 1 + 2)  # t = 900, 650, 400 and 150; the second view waits at 30
    alone = denoise(exact, noisy[:1], torch.tensor([900]), prompt.select(torch.tensor([0])), 3.0, 4)
    torch.testing.assert_close(both.target[:1], alone.target, rtol=1e-12, atol=1e-12)
    torch.testing.assert_close(both.target[1:], one.target[1:], rtol=1e-12, atol=1e-12)
    assert torch.equal(both.noise, one.noise)

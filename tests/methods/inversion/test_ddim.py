"""DDIM inversion against diffusers' scheduler, and against the sampler it inverts."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMInverseScheduler

from methods.inversion import strategies
from methods.inversion.ddim import DDIMInversion, ddim_inversion
from methods.priors.guidance import guided_prediction, levels


def test_a_step_is_diffusers_inverse_step(prior, prompt) -> None:
    scheduler = DDIMInverseScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
    )
    scheduler.set_timesteps(10)
    theirs = ours = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    for t in (100, 200, 300):
        # diffusers names a step by where it leads to; it starts a tenth of the schedule before.
        noise = prior.predict_noise(theirs, torch.tensor([t - 100] * 2), prompt.positive)
        theirs = scheduler.step(noise, t, theirs).prev_sample
        path = torch.tensor([[t - 100], [t]]).expand(-1, 2)
        ours, _ = ddim_inversion(prior, ours, path, positive=prompt.positive, base=prompt.null, scale=1.0)
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-5)


def test_error_of_inverting_and_sampling_back_is_of_first_order(prior, prompt) -> None:
    picture = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    errors = []
    for steps in (20, 40, 80):
        path = (torch.arange(steps + 1)[:, None] / steps * torch.tensor([800, 800])).long()
        noisy, _ = ddim_inversion(prior, picture, path, positive=prompt.positive, base=prompt.null, scale=1.0)
        for now, then in zip(path.flip(0)[:-1], path.flip(0)[1:], strict=True):
            out = guided_prediction(prior, noisy, now, positive=prompt.positive, base=prompt.null, scale=1.0)
            signal, spread = levels(prior, then)
            noisy = signal * out.target + spread * out.noise
        signal, _ = levels(prior, path[0])
        errors.append(float((noisy / signal - picture).norm()))
    assert errors[0] > errors[1] > errors[2]
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.3)
    assert errors[1] / errors[2] == pytest.approx(2, rel=0.3)


def test_kappa_rebuilds_the_inverted_latents(prior, prompt, make_streams) -> None:
    picture = torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1
    timesteps = torch.tensor([500, 700])
    strategy = DDIMInversion(gamma_inv=1.0, inversion_steps=10, eta=0.0)
    kappa = strategy(picture, timesteps, prior=prior, prompt=prompt, streams=make_streams())
    path = (torch.arange(8)[:, None] / 7 * timesteps).long()
    noisy, _ = ddim_inversion(prior, picture, path, positive=prompt.positive, base=prompt.null, scale=1.0)
    signal, spread = levels(prior, timesteps)
    torch.testing.assert_close(signal * picture + spread * kappa, noisy, rtol=1e-4, atol=1e-4)


def test_eta_is_the_deviation_of_the_added_noise(prior, prompt, make_streams) -> None:
    picture = torch.zeros(2, 3, 64, 64)
    call = {"prior": prior, "prompt": prompt, "streams": make_streams()}
    still = DDIMInversion(gamma_inv=1.0, eta=0.0)(picture, torch.tensor([500, 500]), **call)
    moved = DDIMInversion(gamma_inv=1.0, eta=0.3)(picture, torch.tensor([500, 500]), **call)
    assert float((moved - still).std()) == pytest.approx(0.3, rel=0.03)


def test_random_noise_is_fresh_and_standard(prior, prompt, make_streams) -> None:
    call = {"prior": prior, "prompt": prompt, "streams": make_streams()}
    first, second = (strategies["random"]()(torch.zeros(2, 3, 64, 64), torch.tensor([5, 5]), **call) for _ in range(2))
    assert not torch.equal(first, second)
    assert float(first.std()) == pytest.approx(1, rel=0.03)
    assert prior.calls == 0


@pytest.mark.parametrize(("field", "value"), [("inversion_steps", 0), ("eta", -0.1)])
def test_bad_settings_are_named(field, value) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value}"):
        DDIMInversion(**{field: value})

"""SDI against the paper's equations, and against the sampler it reparametrises."""

from __future__ import annotations

import pytest
import torch
from diffusers import DDIMScheduler

from methods.distillation.sdi import SDI
from methods.inversion.ddim import DDIMInversion


def test_update_is_sigma_times_prediction_minus_kappa(prior, prompt, rgb, make_view, make_streams) -> None:
    """Eq. 10: x − x̂0 = σ(t)·(ε̂ − κ), with κ recomputed here by a plain DDIM inversion."""
    method = SDI(inversion=DDIMInversion(eta=0.0), tau=0.0)
    view = make_view(prior, rgb)
    out = method(view, prior=prior, prompt=prompt, progress=0.5, streams=make_streams(), state=None)
    (gradient,) = torch.autograd.grad(out.loss, view.latents)

    assert out.timestep == 600
    alphas = prior.alphas_cumprod.double()
    guided = lambda noisy, t, s: _guided(prior, noisy, t, prompt, s)  # noqa: E731
    x = clean = view.latents.detach().double()
    for now, then in ((0, 100), (100, 200), (200, 300), (300, 400), (400, 500), (500, 600)):
        noise = guided(x, now, -7.5)
        x0 = (x - (1 - alphas[now]).sqrt() * noise) / alphas[now].sqrt()
        x = alphas[then].sqrt() * x0 + (1 - alphas[then]).sqrt() * noise
    kappa = (x - alphas[600].sqrt() * clean) / (1 - alphas[600]).sqrt()
    sigma = ((1 - alphas[600]) / alphas[600]).sqrt()
    noisy = alphas[600].sqrt() * clean + (1 - alphas[600]).sqrt() * kappa
    expected = (sigma * (guided(noisy, 600, 7.5) - kappa) / 2).float()
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("guidance", [1.0, 4.0])
def test_with_the_sampler_s_own_noise_it_is_ddim(guidance, prior, prompt) -> None:
    """The paper's claim (section 4): carrying κ = ε̂ of the step before, the iterates x̂0 are DDIM's exactly."""
    scheduler = DDIMScheduler(
        beta_start=0.00085, beta_end=0.012, beta_schedule="scaled_linear", clip_sample=False, set_alpha_to_one=False
    )
    scheduler.set_timesteps(20)
    noisy = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(1))
    x0, kappa = None, None
    for t in scheduler.timesteps:
        alpha = prior.alphas_cumprod[t]
        if x0 is not None:
            torch.testing.assert_close(alpha.sqrt() * x0 + (1 - alpha).sqrt() * kappa, noisy, rtol=1e-4, atol=1e-5)
        kappa = _guided(prior, noisy, int(t), prompt, guidance)
        out = scheduler.step(kappa, t, noisy)
        noisy, x0 = out.prev_sample, out.pred_original_sample


def test_time_falls_linearly_and_the_inversion_s_calls_with_it(prior, prompt, rgb, make_view, make_streams) -> None:
    seen = []
    for progress in (0.0, 0.5, 1.0):
        before = prior.calls
        out = SDI()(
            make_view(prior, rgb), prior=prior, prompt=prompt, progress=progress, streams=make_streams(), state=None
        )
        seen.append((out.timestep, prior.calls - before))
    assert [t for t, _ in seen] == [999, 600, 200]
    assert seen[0][1] == 9 + 1  # int(10 · 0.999) steps of inversion and one prediction
    assert seen[2][1] == 2 + 1


def _guided(prior, noisy, t, prompt, scale):
    timesteps = torch.tensor([t, t])
    null = prior.predict_noise(noisy, timesteps, prompt.null)
    return null + scale * (prior.predict_noise(noisy, timesteps, prompt.positive) - null)

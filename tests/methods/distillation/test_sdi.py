"""SDI against the paper's equations, and against the sampler it reparametrises."""

from __future__ import annotations

import torch

from methods.distillation.sdi import SDI
from methods.inversion.ddim import DDIMInversion
from methods.inversion.random import RandomNoise


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


def test_drawn_times_cover_the_range_whatever_the_progress(prior, prompt, rgb, make_view, make_streams) -> None:
    streams = make_streams()
    method = SDI(annealed=False, inversion=RandomNoise())
    seen = [
        method(make_view(prior, rgb), prior=prior, prompt=prompt, progress=0.9, streams=streams, state=None).timestep
        for _ in range(200)
    ]
    assert min(seen) < 350
    assert max(seen) > 850

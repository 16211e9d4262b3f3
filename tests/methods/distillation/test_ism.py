"""ISM against a step-by-step derivation, and the timesteps its algorithm prescribes."""

from __future__ import annotations

import pytest
import torch

from methods.distillation.ism import ISM


def test_gradient_is_the_interval_score(prior, prompt, rgb, make_view, make_streams) -> None:
    method = ISM(timesteps=(0.47, 0.47), guidance_scale=7.5)
    view = make_view(prior, rgb)
    out = method(view, prior=prior, prompt=prompt, progress=1.0, streams=make_streams(), state=None)
    (gradient,) = torch.autograd.grad(out.loss, view.latents)

    x = view.latents.detach().double()
    alphas = prior.alphas_cumprod.double()
    null = lambda noisy, t: prior.predict_noise(noisy, torch.tensor([t, t]), prompt.null)  # noqa: E731
    for now, then in ((0, 200), (200, 400), (400, 420), (420, 470)):
        noise = null(x, now)
        clean = (x - (1 - alphas[now]).sqrt() * noise) / alphas[now].sqrt()
        x = alphas[then].sqrt() * clean + (1 - alphas[then]).sqrt() * noise
    last = torch.tensor([470, 470])
    away = prior.predict_noise(x, last, prompt.negative)
    guided = away + 7.5 * (prior.predict_noise(x, last, prompt.positive) - away)
    sigma = ((1 - alphas[470]) / alphas[470]).sqrt()
    expected = (0.1 * sigma * (guided - noise) / 2).float()
    assert out.timestep == 470
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("progress", "largest", "interval"), [(0.0, 980, 100), (0.15, 740, 75), (0.3, 500, 50), (1.0, 500, 50)]
)
def test_timesteps_and_interval_fall_over_the_warm_up(progress, largest, interval, prior) -> None:
    paths = [ISM()._path(prior, progress, torch.Generator().manual_seed(seed)).tolist() for seed in range(300)]
    assert max(path[-1] for path in paths) <= largest
    assert max(path[-1] for path in paths) > largest - 40
    assert min(path[-1] for path in paths) >= 20
    for path in paths:
        assert path[0] == 0
        assert path[-1] - path[-2] == min(interval, path[-1])
        assert all(step <= 200 for step in torch.tensor(path).diff().tolist())

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


def test_with_all_of_figure_14_s_changes_it_is_sdi_s_update(prior, prompt, rgb, make_view, make_streams) -> None:
    """Subtracting the whole noise of an inversion makes the update λ·(x − x̂0), with t on its way down."""
    method = ISM(timesteps=(0.1, 0.98), warm_up=0.0, annealed=True, gamma_inv=-7.5, full_noise=True, negative_prompt="")
    view = make_view(prior, rgb)
    neutral = prompt._replace(negative=prompt.null)
    out = method(view, prior=prior, prompt=neutral, progress=0.5, streams=make_streams(), state=None)
    (gradient,) = torch.autograd.grad(out.loss, view.latents)
    assert out.timestep == 540
    torch.testing.assert_close(gradient, 0.1 * (view.latents - out.target).detach() / 2, rtol=1e-4, atol=1e-5)


def test_a_conditional_inversion_differs_from_ism_s_own(prior, prompt, rgb, make_view, make_streams) -> None:
    def update(gamma_inv: float) -> torch.Tensor:
        view = make_view(prior, rgb)
        method = ISM(timesteps=(0.5, 0.5), gamma_inv=gamma_inv)
        out = method(view, prior=prior, prompt=prompt, progress=1.0, streams=make_streams(), state=None)
        return torch.autograd.grad(out.loss, view.latents)[0]

    assert torch.equal(update(0.0), update(0.0))
    assert not torch.allclose(update(0.0), update(-7.5))

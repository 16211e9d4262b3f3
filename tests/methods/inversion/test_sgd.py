"""Descent on the error of eq. 8 with a known gradient (see ``Exact``)."""

from __future__ import annotations

import pytest
import torch

from methods.contracts import ViewPrompt
from methods.diffusion.guidance import add_noise, guided_prediction
from methods.inversion.sgd import GradientDescent
from methods.priors.loading import load_prior


def run(infer, exact, make_streams, timesteps, **settings):
    return infer(
        GradientDescent(gamma=exact.scale, **settings),
        exact.image,
        timesteps,
        prior=exact.prior,
        prompt=exact.prompt,
        streams=make_streams(),
    )


def test_a_step_is_the_gradient_in_closed_form(infer, exact, make_streams) -> None:
    """∇ ½‖ε̂(κ) − κ‖² = (1 − L)² (κ − κ*), since ε̂ − κ = (L − 1)(κ − κ*)."""
    timesteps = torch.tensor([60, 300])
    first = torch.randn(exact.image.shape, generator=make_streams()["noise"]).double()
    gradient = (1 - exact.slope(timesteps)) ** 2 * (first - exact.kappa(timesteps))
    kappa = run(infer, exact, make_streams, timesteps, iterations=1, step_size=0.1)
    torch.testing.assert_close((first - kappa) / 0.1, gradient, rtol=1e-8, atol=1e-9)


def test_the_distance_to_the_solution_shrinks_by_the_known_factor(infer, exact, make_streams) -> None:
    timesteps = torch.tensor([60, 300])
    first = torch.randn(exact.image.shape, generator=make_streams()["noise"]).double()
    fixed, factor = exact.kappa(timesteps), 1 - 0.5 * (1 - exact.slope(timesteps)) ** 2
    kappa = run(infer, exact, make_streams, timesteps, iterations=12, step_size=0.5)
    torch.testing.assert_close(kappa - fixed, factor**12 * (first - fixed), rtol=1e-7, atol=1e-9)
    assert exact.prior.calls == 12


def test_each_iteration_lowers_the_error_of_every_view(infer, exact, make_streams) -> None:
    timesteps = torch.tensor([60, 300])
    errors = []
    for iterations in range(1, 8):
        kappa = run(infer, exact, make_streams, timesteps, iterations=iterations, step_size=0.3)
        errors.append((exact.predict(kappa, timesteps) - kappa).square().flatten(1).sum(dim=1))
    assert bool((torch.stack(errors).diff(dim=0) < 0).all())


def test_each_iteration_lowers_the_error_through_the_network(infer, make_streams) -> None:
    prior = load_prior("toybox")
    prompt = ViewPrompt(*(prior.embed([text]) for text in ("a blue duck, front view", "", "")))
    clean = prior.encode(torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(0)))
    timesteps = torch.tensor([500])
    errors = []
    for iterations in (1, 2, 4):
        strategy = GradientDescent(gamma=prior.guidance_scale, iterations=iterations, step_size=0.05)
        kappa = infer(strategy, clean, timesteps, prior=prior, prompt=prompt, streams=make_streams())
        assert not kappa.requires_grad
        with torch.no_grad():
            noisy = add_noise(prior, clean, kappa, timesteps)
            noise = guided_prediction(prior, noisy, timesteps, prompt, prior.guidance_scale).noise
        errors.append(float((noise - kappa).square().sum()))
    assert errors == sorted(errors, reverse=True)


@pytest.mark.parametrize("field", ["iterations", "step_size"])
def test_bad_settings_are_named(field) -> None:
    with pytest.raises(ValueError, match=f"{field}: 0 is not a positive number"):
        GradientDescent(**{field: 0})

"""HiFA's time and its term on the image; the equations themselves are in test_closed_form.py."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from closed_form_world import GivenNoise, World

from methods.distillation.hifa import HiFA


@pytest.mark.parametrize(("progress", "t"), [(0.0, 980), (0.25, 640), (0.49, 504), (1.0, 300)])
def test_time_falls_with_the_square_root(progress, t, prior, prompt, rgb, make_view, make_streams) -> None:
    """0.98 − 0.68·√progress: half of the way is covered after a quarter of the steps."""
    view = make_view(prior, rgb)
    out = HiFA()(view, prior=prior, prompt=prompt, progress=progress, streams=make_streams(), state={})
    assert float(out.timesteps.float().mean()) == t


def test_the_image_s_term_does_not_change_the_latents_update(prior, prompt, rgb, make_view, make_streams) -> None:
    on_latents, on_image = [], []
    for weight in (0.0, 1.0):
        view = make_view(prior, rgb)
        out = HiFA(image_weight=weight)(
            view, prior=prior, prompt=prompt, progress=0.5, streams=make_streams(), state={}
        )
        latents, image = torch.autograd.grad(out.loss, (view.latents, rgb))
        on_latents.append(latents)
        on_image.append(image)
    assert torch.equal(*on_latents)
    assert not torch.allclose(*on_image)


@pytest.mark.parametrize("side", [8, 16, 48])
def test_an_image_of_any_size_is_pulled_towards_what_the_prior_expects(
    side, prior, prompt, make_view, make_streams
) -> None:
    rgb = torch.rand(2, 3, side, side, generator=torch.Generator().manual_seed(3), requires_grad=True)
    gradients = []
    for weight in (0.0, 1.0):
        view = make_view(prior, rgb)
        method = HiFA(guidance_scale=1.0, image_weight=weight)
        out = method(view, prior=prior, prompt=prompt, progress=0.5, streams=make_streams(), state={})
        gradients.append(torch.autograd.grad(out.loss, rgb)[0])
    pull = gradients[0] - gradients[1]  # gradient of the image's term alone
    aim = torch.nn.functional.interpolate(prior.decode(out.target), (side, side), mode="bilinear", antialias=True)
    gap = (aim - rgb.detach()).mean(dim=(2, 3))
    assert torch.equal(pull.mean(dim=(2, 3)).sign(), gap.sign())


def test_a_negative_weight_is_named() -> None:
    with pytest.raises(ValueError, match=r"image_weight: -1 is not zero or a positive weight"):
        HiFA(image_weight=-1)


def test_four_steps_pull_towards_the_end_of_the_path() -> None:
    """(1 − ᾱ)·√(ᾱ/(1−ᾱ))·(x − Φ(x_t)) with the released code's times t, t − 250, …"""
    world = World(3)
    ours = world.run("hifa", guidance_scale=7.5, inversion=GivenNoise(world.noise), image_weight=0.0, denoise_steps=4)
    for view, last in enumerate(world.times):
        noisy = world.noisy(world.times)
        for t in range(last, 0, -250):
            noise = world.cfg(noisy, t, 7.5)
            clean = world.clean(noisy, t, noise)
            noisy = world.ddim(noisy, t, max(t - 250, 0), noise)
        a = world.level(world.times)[view]
        expected = np.sqrt(a * (1 - a)) * (world.x[view] - clean[view])
        np.testing.assert_allclose(ours[view], expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("eta", [1.0, 0.4])
def test_new_noise_in_each_step_has_ddim_s_share(eta: float) -> None:
    """x_s = √ᾱ_s x̂0 + √(1 − ᾱ_s − σ²) ε̂ + σ z, σ = η √((1 − ᾱ_s)/(1 − ᾱ_t)·(1 − ᾱ_t/ᾱ_s)) (arXiv 2010.02502), and
    the weight 0.05 of x − x̂0, for views that take three, one and four steps."""
    world = World(3, times=(617, 230, 980))
    given = {"guidance_scale": 7.5, "inversion": GivenNoise(world.noise), "image_weight": 0.0}
    ours = world.run("hifa", denoise_steps=4, eta=eta, constant_weight=0.05, **given)
    generator = torch.Generator().manual_seed(world.seed)
    t, noisy = world.times.copy(), world.noisy(world.times)
    moving = np.ones(3, bool)  # the first step's noise is drawn for all views
    while True:
        noise = world.cfg(noisy, t, 7.5)
        s = np.where(t > 250, t - 250, t)
        if (s == t).all():
            break
        a, b = world.level(t), world.level(s)
        z = np.zeros_like(noisy)
        z[moving] = torch.randn(int(moving.sum()), *noisy.shape[1:], generator=generator).double().numpy()
        deviation = eta * np.sqrt((1 - b) / (1 - a) * (1 - a / b))
        noisy = np.sqrt(b) * world.clean(noisy, t, noise) + np.sqrt(1 - b - deviation**2) * noise + deviation * z
        t, moving = s, s > 250
    np.testing.assert_allclose(ours, 0.05 * (world.x - world.clean(noisy, t, noise)), rtol=1e-9, atol=1e-12)


def test_without_new_noise_nothing_more_is_drawn() -> None:
    world = World(3)
    given = {"guidance_scale": 7.5, "inversion": GivenNoise(world.noise), "denoise_steps": 4}
    plain = world.run("hifa", **given)
    assert np.array_equal(world.run("hifa", eta=0.0, **given), plain)
    assert not np.allclose(world.run("hifa", eta=1.0, **given), plain)


def test_a_constant_weight_pulls_latents_and_image_alike() -> None:
    """0.05·(x − x̂0) on the latents, which are 2 I − 1, and 0.05·λ·(I − Î) on the image."""
    world = World(4)
    given = {"guidance_scale": 7.5, "inversion": GivenNoise(world.noise), "constant_weight": 0.05}
    noisy = world.noisy(world.times)
    clean = world.clean(noisy, world.times, world.cfg(noisy, world.times, 7.5))
    on_latents = world.run("hifa", **given, image_weight=0.1)
    np.testing.assert_allclose(on_latents, 0.05 * (world.x - clean), rtol=1e-9, atol=1e-12)
    loss = float(world.out.loss.detach())
    image = (world.x - np.clip(clean, -1, 1)) / 2
    expected = 0.5 * ((on_latents**2).sum() + 0.1 * 0.05**2 * (image**2).sum()) / 3
    assert loss == pytest.approx(expected, rel=1e-9)


def test_steps_that_are_no_number_are_named() -> None:
    with pytest.raises(ValueError, match=r"denoise_steps: 0 is not a positive number of steps"):
        HiFA(denoise_steps=0)

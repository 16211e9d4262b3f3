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
    with pytest.raises(ValueError, match=r"image_weight: -1 is negative"):
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


def test_steps_that_are_no_number_are_named() -> None:
    with pytest.raises(ValueError, match=r"denoise_steps: 0 is not a positive number of steps"):
        HiFA(denoise_steps=0)

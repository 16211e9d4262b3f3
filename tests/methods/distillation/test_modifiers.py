"""The study's modifiers of any method: rescaled guidance, and a bound of the update's elements."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from closed_form_world import GivenNoise, World

from bench.cells.optimisation import update_size
from methods.distillation import clamp_update, methods, update_loss

#: Their update has no guided image.
UNGUIDED = {"bsd", "csd", "csd-code", "lods"}


@pytest.fixture
def gradient(prior, prompt, rgb, make_view, make_streams):
    """The gradient of a method's loss for the latents."""

    def run(name: str, *, rescale: float = 0.0, largest: float | None = None) -> torch.Tensor:
        view, method = make_view(prior, rgb), methods[name]()
        call = {"prior": prior, "progress": 0.4, "streams": make_streams(), "state": method.start(prior)}
        loss = method(view, prompt=prompt._replace(rescale=rescale), **call).loss
        if largest is not None:
            clamp_update(view.latents, largest)
        return torch.autograd.grad(loss, view.latents)[0]

    return run


@pytest.mark.parametrize("name", methods.names())
def test_every_method_with_a_guided_image_can_have_it_rescaled(name: str, gradient) -> None:
    plain, rescaled = gradient(name), gradient(name, rescale=0.5)
    assert torch.equal(plain, rescaled) == (name in UNGUIDED)


@pytest.mark.parametrize("scale", [0.0, 1.0, 7.5])
def test_sds_with_rescaled_guidance_is_its_equation(scale: float) -> None:
    world = World(5, rescale=0.4)
    ours = world.run("sds", guidance_scale=scale, inversion=GivenNoise(world.noise))
    t = world.times
    noise = world.cfg(world.noisy(t), t, scale)
    np.testing.assert_allclose(ours, (1 - world.level(t)) * (noise - world.noise), rtol=1e-9, atol=1e-9)


def test_a_whole_rescaling_gives_the_guided_image_the_conditional_one_s_deviation() -> None:
    world = World(6, rescale=1.0)
    world.run("sds", guidance_scale=30.0, inversion=GivenNoise(world.noise))
    t = world.times
    plain = world.clean(world.noisy(t), t, world.eps(world.noisy(t), t, world.y))
    for found, expected in zip(world.out.target.numpy(), plain, strict=True):
        assert found.std() == pytest.approx(expected.std(), rel=1e-7)


@pytest.mark.parametrize("name", methods.names())
def test_an_inversion_is_not_rescaled(name: str, prior, prompt, rgb, make_view) -> None:
    """Rescaled and plain, the noise in x_t is the same for methods that infer it from the image."""
    kappas = []
    for rescale in (0.0, 0.9):
        view, method = make_view(prior, rgb), methods[name]()
        streams = {stream: torch.Generator().manual_seed(1) for stream in ("timestep", "noise")}
        call = {"prior": prior, "progress": 0.4, "streams": streams, "state": method.start(prior)}
        kappas.append(method(view, prompt=prompt._replace(rescale=rescale), **call).noise)
    assert torch.equal(*kappas) == (name != "dsd")  # DSD's noise is that of the sampler, which guides


@pytest.mark.parametrize("name", methods.names())
def test_each_element_of_any_update_is_clamped(name: str, gradient) -> None:
    plain = gradient(name) * 2  # the update: a loss is a mean over the two views
    largest = float(plain.abs().quantile(0.7))
    clamped = gradient(name, largest=largest) * 2
    torch.testing.assert_close(clamped, plain.clamp(-largest, largest))
    assert float(clamped.abs().max()) == pytest.approx(largest)


def test_the_image_and_the_size_of_relative_penalties_follow_the_clamped_update(prior, rgb, make_view) -> None:
    update, sizes, gradients = torch.full((2, 3, 16, 16), 4.0), [], []
    for values, largest in ((update, 1.0), (update.clamp_max(1.0), None)):
        view = make_view(prior, rgb)
        loss = update_loss(view.latents, values)
        if largest is not None:
            clamp_update(view.latents, largest)
        sizes.append(update_size(loss, view))  # penalties are relative to it
        gradients.append(torch.autograd.grad(loss, rgb)[0])
    torch.testing.assert_close(*sizes)
    torch.testing.assert_close(*gradients)

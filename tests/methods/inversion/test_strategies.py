"""Properties of every inversion strategy, and the error that they are compared by."""

from __future__ import annotations

import dataclasses
import inspect
import re

import numpy as np
import pytest
import torch

from methods.conditioning import Conditioning
from methods.inversion import fixed_point_error, strategies


@pytest.fixture
def run(infer):
    def run(name, prior, prompt, streams, images, t=(300, 300)):
        return infer(strategies[name](), images, torch.tensor(t), prior=prior, prompt=prompt, streams=streams)

    return run


@pytest.fixture
def images() -> torch.Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(0)) * 2 - 1


def test_the_five_of_figure_9_are_there() -> None:
    assert {"random", "fixed", "fixed_point", "sgd", "ddim"} <= set(strategies.names())


@pytest.mark.parametrize("name", strategies.names())
def test_kappa_is_shaped_like_the_latents_and_carries_no_gradient(
    run, name, prior, prompt, make_streams, images
) -> None:
    kappa = run(name, prior, prompt, make_streams(), images.requires_grad_(), t=(20, 980))
    assert kappa.shape == images.shape
    assert kappa.dtype == images.dtype
    assert not kappa.requires_grad
    assert bool(kappa.isfinite().all())


@pytest.mark.parametrize("name", strategies.names())
def test_the_same_streams_give_the_same_kappa_and_others_do_not(run, name, prior, prompt, make_streams, images) -> None:
    first, again, other = (run(name, prior, prompt, make_streams(seed), images) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


@pytest.mark.parametrize("name", strategies.names())
def test_a_view_s_kappa_does_not_depend_on_its_neighbours(run, name, prior, prompt, make_streams, images) -> None:
    kappa = run(name, prior, prompt, make_streams(), images)
    moved = torch.stack([images[0], images[1] + 0.3])
    prompts = type(prompt)(*(Conditioning(torch.stack([c.sequence[0], c.sequence[1] + 0.1])) for c in prompt[:3]))
    other = run(name, prior, prompts, make_streams(), moved)
    torch.testing.assert_close(other[0], kappa[0])
    if name not in ("random", "fixed", "surface", "world_map"):
        assert not torch.allclose(other[1], kappa[1])


@pytest.mark.parametrize("name", strategies.names())
def test_every_strategy_is_documented_and_can_be_calibrated(name, prior) -> None:
    strategy = strategies[name]
    assert re.search(r"arXiv \d{4}\.\d{5}", strategy.__doc__ or "")
    source = inspect.getsource(strategy)
    for field in dataclasses.fields(strategy):
        assert field.default is not dataclasses.MISSING
        assert '"""' in source[source.index(f"    {field.name}:") :].split("\n    def ")[0]
    calibrated = dataclasses.asdict(strategy().calibrated(prior))
    sign = {"gamma_inv": -1, "gamma": 1}
    expected = {field: sign[field] * prior.guidance_scale for field in calibrated if field in sign}
    assert calibrated == dataclasses.asdict(strategy()) | expected


def test_fixed_point_error_is_its_definition(prior) -> None:
    """mean σ(t)²(ε̂ − κ)², each view at its own t, in numpy and double precision."""
    rng = np.random.default_rng(0)
    noise, kappa = rng.normal(size=(2, 3, 4, 4)), rng.normal(size=(2, 3, 4, 4))
    timesteps = [40, 900]
    alpha = prior.alphas_cumprod.double().numpy()[timesteps]
    expected = np.mean([(1 - a) / a * (n - k) ** 2 for a, n, k in zip(alpha, noise, kappa, strict=True)])
    error = fixed_point_error(
        prior, torch.tensor(noise, requires_grad=True), torch.tensor(kappa), torch.tensor(timesteps)
    )
    assert not error.requires_grad
    assert float(error) == pytest.approx(expected, rel=1e-5)


def test_fixed_point_error_is_the_square_between_two_images(exact) -> None:
    """The error is that of x̂0 − x, for the x̂0 that ε̂ stands for; it vanishes at the solution of eq. 8."""
    timesteps = torch.tensor([60, 700])
    kappa = torch.randn(exact.image.shape, generator=torch.Generator().manual_seed(4)).double()
    noise = exact.predict(kappa, timesteps)
    alpha = exact.prior.alphas_cumprod[timesteps][:, None, None, None]
    x0 = exact.image + ((1 - alpha) / alpha).sqrt() * (kappa - noise)
    error = fixed_point_error(exact.prior, noise, kappa, timesteps)
    torch.testing.assert_close(error, (x0 - exact.image).square().mean())
    solved = exact.kappa(timesteps)
    assert float(fixed_point_error(exact.prior, exact.predict(solved, timesteps), solved, timesteps)) < 1e-18

"""Every method that adds noise, with noise that depends on the camera and the object, on priors whose noise is exact.

That the methods' gradients with a given κ are their equations is in test_closed_form.py.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import pytest
import torch
from seen_objects import balls, random_cameras
from torch import Tensor

from methods.contracts import InversionStrategy, TimestepSchedule, View, ViewPrompt
from methods.distillation import methods
from methods.inversion.surface import Surface
from methods.inversion.world_map import WorldMap
from methods.priors.closed_form.mixture import MixturePrior

TIMES = (40, 420, 930)


@dataclass(frozen=True)
class ByHand(InversionStrategy):
    """A given κ."""

    noise: Tensor

    def __call__(self, view, timesteps, *, prior, prompt, streams, state, until=None) -> Tensor:
        return self.noise


@dataclass(frozen=True)
class OwnTimes(TimestepSchedule):
    """Another timestep for each view."""

    def __call__(self, prior, progress, count, generator) -> Tensor:
        return torch.tensor(TIMES)


NAMES = [name for name in methods.names() if "inversion" in {field.name for field in dataclasses.fields(methods[name])}]


@pytest.mark.parametrize("strategy", [Surface(), WorldMap()], ids=["surface", "world_map"])
@pytest.mark.parametrize("name", NAMES)
def test_a_method_s_gradient_is_that_with_the_strategy_s_kappa_put_in(name: str, strategy: Any, make_streams) -> None:
    """In double precision, for three views of one object with three timesteps, in the second step of a run."""
    prior = MixturePrior(deviation=2.0, clip_target=None)
    prior.alphas_cumprod = prior.alphas_cumprod.double()
    words = [prior.embed([text] * 3) for text in ("a red car", "", "bad")]
    prompt, cameras = ViewPrompt(*words), random_cameras(3)
    generator = torch.Generator().manual_seed(1)
    rgb = torch.rand(3, 3, 96, 96, generator=generator, dtype=torch.float64).requires_grad_()
    view = View(balls(cameras, 96)._replace(rgb=rgb), cameras, prior, 0.3)
    assert view.latents.requires_grad  # as methods see them, not from within a strategy

    method = methods[name](inversion=strategy)
    if "schedule" in {field.name for field in dataclasses.fields(method)}:
        method = dataclasses.replace(method, schedule=OwnTimes())
    call = {"prior": prior, "prompt": prompt}
    kept, times, by_hand_streams = strategy.start(prior), torch.tensor(TIMES), make_streams()
    for _ in range(2):
        kappa = strategy(view, times, streams=by_hand_streams, state=kept, **call)
    assert kappa.dtype == torch.float64
    assert float(kappa.std()) == pytest.approx(1, abs=0.1)

    def gradient(inversion: InversionStrategy, streams: Any, state: Any) -> Tensor:
        own = dataclasses.replace(method, inversion=inversion)
        state = {**own.start(prior), **state}
        out = own(view, progress=0.3, streams=streams, state=state, **call)
        return torch.autograd.grad(out.loss, rgb, retain_graph=True)[0]

    streams, state = make_streams(), strategy.start(prior)
    strategy(view, times, streams=streams, state=state, **call)  # the first step
    found = gradient(strategy, streams, state)
    expected = gradient(ByHand(kappa), by_hand_streams, {})
    assert float((found - expected).norm()) <= 1e-9 * float(expected.norm())
    other = gradient(ByHand(kappa.flip(0)), by_hand_streams, {})
    assert float((other - expected).norm()) > 1e-6 * float(expected.norm())

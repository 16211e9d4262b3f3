"""Fixtures of the tests of methods: a closed-form prior, a view of an image, a prompt and streams."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.contracts import Rendering, Streams, View, ViewPrompt
from methods.priors.closed_form.gaussian import GaussianPrior


@pytest.fixture
def prior() -> GaussianPrior:
    return GaussianPrior(clip_target=None)


@pytest.fixture
def prompt(prior: GaussianPrior) -> ViewPrompt:
    return ViewPrompt(
        positive=prior.embed(["a red car", "a blue duck"]),
        null=prior.embed(["", ""]),
        negative=prior.embed(["bad", "bad"]),
    )


@pytest.fixture
def make_view() -> Callable[[GaussianPrior, Tensor], View]:
    def make(prior: GaussianPrior, rgb: Tensor) -> View:
        blank = torch.ones(len(rgb), 1, *rgb.shape[-2:])
        return View(Rendering(rgb, blank, blank), evaluation_ring(len(rgb)), prior)

    return make


@pytest.fixture
def rgb() -> Tensor:
    return torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(3), requires_grad=True)


def streams(seed: int = 0) -> Streams:
    names = ("camera", "timestep", "noise", "init", "background", "rays", "eval")
    return {name: torch.Generator().manual_seed(100 * seed + index) for index, name in enumerate(names)}


@pytest.fixture
def make_streams() -> Callable[..., Streams]:
    return streams

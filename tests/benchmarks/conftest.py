"""What the micro-benchmarks share: one thread, the toybox's prior, and a scene like those in a study."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from methods.contracts import Prior
from methods.priors.loading import load_prior
from methods.scenes import scenes


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """Fewer threads measure the code rather than its neighbours on the machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def prior() -> Prior:
    return load_prior("toybox")


@pytest.fixture
def scene() -> torch.nn.Module:
    return scenes["nerf"]().build(load_prior("gaussian"), torch.Generator().manual_seed(0))

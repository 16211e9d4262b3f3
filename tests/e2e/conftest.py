"""What all end-to-end tests share."""

from __future__ import annotations

from collections.abc import Iterator

import pytest


@pytest.fixture(scope="session", autouse=True)
def _coarse_meshes(coarse_meshes: None) -> None:
    """Reports with coarse meshes."""


@pytest.fixture(scope="module")
def few_samples() -> Iterator[None]:
    """The prior's own images after few steps, for tests that do not look at them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("bench.scores.control_views.SAMPLING_STEPS", 3)
        yield

from __future__ import annotations

import sys
from types import ModuleType

import pytest
import torch

from bench.commands.backends import BACKENDS, Backend


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """A package that can be imported."""
    module = ModuleType("a_backend")
    module.__spec__ = sys.__spec__
    monkeypatch.setitem(sys.modules, "a_backend", module)
    return module


def _fail(module: ModuleType) -> None:
    raise OSError(f"no driver\nfor {module.__name__}")


def _backend(**settings: object) -> Backend:
    return Backend("it", "a_backend", "pytest", "pip install it", "nothing is lost", **settings)


def test_what_is_missing_is_told_with_how_to_install_it() -> None:
    assert _backend().state() == "missing: pip install it; without it, nothing is lost"


def test_what_is_there_is_tried_where_it_can_be(installed: ModuleType, monkeypatch: pytest.MonkeyPatch) -> None:
    there = f"there, {pytest.__version__}"
    assert _backend().state() == there
    assert _backend(check=lambda module: None).state() == f"{there}, works here"
    assert _backend(check=_fail).state() == f"{there}, but does not work here (OSError: no driver for a_backend)"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert _backend(needs_gpu=True, check=_fail).state() == f"{there}, but there is no CUDA device: nothing is lost"
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert "does not work here" in _backend(needs_gpu=True, check=_fail).state()


def test_what_has_no_version_is_there_too(installed: ModuleType) -> None:
    backend = Backend("it", "a_backend", "no-such-package-at-all", "pip install it", "nothing is lost")
    assert backend.state() == "there, version not known"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", [one for one in BACKENDS if one.check], ids=lambda one: one.name)
def test_what_is_installed_works_on_a_gpu(backend: Backend) -> None:
    state = backend.state()
    if state.startswith("missing"):
        pytest.skip(state)
    assert state.endswith("works here")

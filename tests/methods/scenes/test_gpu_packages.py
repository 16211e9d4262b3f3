"""Why an optional package does not work here, in a clause."""

from __future__ import annotations

import importlib
import importlib.util
from types import ModuleType, SimpleNamespace

import pytest
import torch

from methods.scenes.gaussians.rasterisers import gsplat
from methods.scenes.gpu_packages import find_problem
from methods.scenes.nerf.encodings import hash_grid_tinycudann, hash_grid_triton
from methods.scenes.nerf.marching import nerfacc


@pytest.fixture
def on_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every package is there, and has nothing in it, and so is a GPU."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(importlib, "import_module", lambda name: SimpleNamespace(name=name))


def _fail(package: SimpleNamespace) -> None:
    raise OSError(f"no kernel image\nin {package.name}" + 300 * "!")


@pytest.mark.usefixtures("on_a_gpu")
def test_what_runs_has_no_problem_and_an_error_is_one_line() -> None:
    assert find_problem("it", lambda package: None) is None
    found = find_problem("it", _fail)
    assert found is not None
    assert found.startswith("does not work here (OSError: no kernel image in it!!!")
    assert len(found) < 250


@pytest.mark.parametrize(
    "module", [nerfacc, hash_grid_triton, hash_grid_tinycudann, gsplat], ids=lambda it: it.__name__
)
def test_what_keeps_a_package_from_working_is_named(
    module: ModuleType, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    problem = module.problem.__wrapped__
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert problem() == "is not installed"
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: name)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert problem() == "has no CUDA device here"
    request.getfixturevalue("on_a_gpu")
    if not torch.version.cuda:
        assert problem().startswith("does not work here (")

from __future__ import annotations

import sys
from collections.abc import Callable
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


MISSING, NO_GPU, BROKEN = "is not installed", "has no CUDA device here", "does not work here (OSError: no driver)"


def _backend(problem: Callable[[], str | None] | None = None, remedy: str | None = None) -> Backend:
    return Backend("it", "a_backend", "pytest", "pip install it", "time is lost", problem, remedy)


def test_what_is_missing_is_told_with_how_to_install_it() -> None:
    assert _backend().state() == "missing: pip install it; without it, time is lost"


@pytest.mark.parametrize(
    ("problem", "end"),
    [
        (None, ", works here"),
        (NO_GPU, ", but has no CUDA device here: time is lost"),
        (BROKEN, f", but {BROKEN}: time is lost; build it again"),
    ],
)
def test_what_is_there_is_tried(installed: ModuleType, problem: str | None, end: str) -> None:
    there = f"there, {pytest.__version__}"
    assert _backend().state() == there
    assert _backend(lambda: problem, "build it again").state() == there + end
    assert _backend(lambda: BROKEN).state() == f"{there}, but {BROKEN}: time is lost"


def test_a_gpu_without_memory_is_no_fault_of_the_package(installed: ModuleType) -> None:
    def full() -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    backend = _backend(full, "build it again")
    words = "was not tried: the GPU has no memory left; free it, or take another one (SDIBENCH_DEVICE)"
    assert backend.state() == f"there, {pytest.__version__}, but {words}: time is lost"
    assert backend.choice() == f"auto takes torch here; a_backend is better, but {words}"

    def broken() -> None:
        raise RuntimeError("an error of the probe itself")

    with pytest.raises(RuntimeError, match="itself"):
        _backend(broken).state()


@pytest.mark.parametrize(
    ("problem", "line"),
    [
        (None, "auto takes a_backend here"),
        (NO_GPU, f"auto takes torch here; a_backend is better, but {NO_GPU}"),
        (MISSING, f"auto takes torch here; a_backend is better, but {MISSING}: pip install it"),
        (BROKEN, f"auto takes torch here; a_backend is better, but {BROKEN}: build it again"),
    ],
)
def test_what_auto_takes_and_why_nothing_better(problem: str | None, line: str) -> None:
    assert _backend(lambda: problem, "build it again").choice() == line


def test_the_remedies_of_the_packages_that_are_built() -> None:
    backends = {backend.module: backend for backend in BACKENDS}
    assert "NVCC_APPEND_FLAGS=-std=c++17" in backends["nerfacc"].remedy
    build = "pip install --no-build-isolation git+https://github.com/NVlabs/tiny-cuda-nn#subdirectory=bindings/torch"
    assert build in backends["tinycudann"].remedy
    assert backends["tinycudann"].install == build
    assert {backend.chosen_for: backend.module for backend in BACKENDS if backend.chosen_for} == {
        "encoding hash_grid": "triton", "marching occupancy": "nerfacc"
    }  # fmt: skip


@pytest.mark.skipif(torch.cuda.is_available(), reason="NVML works where there is a GPU")
def test_an_error_of_nvml_is_a_clause(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", ModuleType("pynvml"))
    [nvml] = [backend for backend in BACKENDS if backend.name == "NVML"]
    assert nvml.problem().startswith("does not work here (AttributeError: ")


def test_what_has_no_version_is_there_too(installed: ModuleType) -> None:
    backend = Backend("it", "a_backend", "no-such-package-at-all", "pip install it", "time is lost")
    assert backend.state() == "there, version not known"


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("backend", [one for one in BACKENDS if one.problem], ids=lambda one: one.name)
def test_what_is_installed_works_on_a_gpu(backend: Backend) -> None:
    state = backend.state()
    if state.startswith("missing"):
        pytest.skip(state)
    assert state.endswith("works here")

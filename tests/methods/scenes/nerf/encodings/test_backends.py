"""What reads a hash grid's table, and why nothing better does."""

from __future__ import annotations

import importlib.util
from types import ModuleType
from typing import Any

import pytest
import torch
from torch import Tensor

from methods.scenes.nerf.encodings import hash_grid_tinycudann, hash_grid_triton
from methods.scenes.nerf.encodings.hash_grid import HashGrid, HashGridModule
from methods.scenes.nerf.encodings.progressive_bands import ProgressiveBands, ProgressiveBandsModule
from methods.settings import MissingPackageError, UnusablePackageError

SMALL = {"levels": 4, "log2_table_size": 7, "base_resolution": 3, "finest_resolution": 12, "initial_bound": 1.0}
CPU, CUDA = torch.device("cpu"), torch.device("cuda")


@pytest.fixture(autouse=True)
def compiled(monkeypatch: pytest.MonkeyPatch) -> None:
    """Kernels are not interpreted, whatever the environment says."""
    monkeypatch.delenv("TRITON_INTERPRET", raising=False)


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every package is there."""
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def build(backend: str, **settings: Any) -> HashGridModule:
    made = HashGrid(**SMALL, layout="tiny_cuda_nn", backend=backend, **settings)
    return made.build(torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    ("backend", "problem", "on_cuda"),
    [
        ("auto", None, "triton"),
        ("auto", "is not installed", "torch"),
        ("triton", None, "triton"),
        ("torch", None, "torch"),
        ("tinycudann", None, "tinycudann"),
    ],
)
@pytest.mark.usefixtures("installed")
def test_which_backend_reads(backend: str, problem: str | None, on_cuda: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hash_grid_triton, "problem", lambda: problem)
    grid = build(backend)
    assert grid.backend_on(CUDA) == on_cuda
    assert grid.backend_on(CPU) == "torch"
    assert ProgressiveBandsModule(ProgressiveBands(levels=4, start_level=1), grid).backend_on(CUDA) == on_cuda


def test_a_cpu_is_not_asked_for_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    """Importing it takes a moment, and it could not be used."""
    monkeypatch.setattr(hash_grid_triton, "problem", lambda: pytest.fail("was asked"))
    assert build("auto").backend_on(CPU) == "torch"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("backend", ["auto", "triton", "torch", "tinycudann"])
def test_all_backends_have_one_table_and_read_it_in_plain_torch_on_a_cpu(backend: str) -> None:
    grid, plain = build(backend), build("torch")
    points = torch.rand(30, 3, generator=torch.Generator().manual_seed(1))
    assert torch.equal(grid(points), plain(points))
    assert grid.state_dict().keys() == plain.state_dict().keys() == {"table"}
    assert grid.twice_differentiable


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize("backend", ["triton", "tinycudann"])
def test_the_chosen_backend_is_called(backend: str, monkeypatch: pytest.MonkeyPatch) -> None:
    grid, called = build(backend), []

    def read(points: Tensor, table: Tensor, *levels: Any) -> str:
        called.append((len(points), table is grid.table))
        return "features"

    monkeypatch.setattr(hash_grid_triton, "read", read)
    grid.fused_reading = read
    monkeypatch.setattr(grid, "backend_on", lambda device: backend)
    assert grid(torch.rand(3, 3)) == "features"
    assert called == [(3, True)]


@pytest.mark.parametrize(
    ("backend", "how"),
    [("triton", "pip install triton"), ("tinycudann", "pip install --no-build-isolation git.*tiny-cuda-nn")],
)
def test_a_missing_package_is_one_line(backend: str, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    expected = rf"^encoding.backend: '{backend}' needs the package {backend} \({how}.*'auto' takes the best that works$"
    with pytest.raises(MissingPackageError, match=expected) as error:
        build(backend)
    assert "\n" not in str(error.value)
    assert build("auto").backend_on(CUDA) == build("torch").backend_on(CUDA) == "torch"


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(("backend", "module"), [("triton", hash_grid_triton), ("tinycudann", hash_grid_tinycudann)])
def test_one_that_was_chosen_and_does_not_work_is_refused(
    backend: str, module: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "problem", lambda: "does not work here (OSError: another torch)")
    grid = build(backend)
    expected = rf"^encoding.backend: '{backend}' needs .* {backend} does not work here \(OSError: another torch\)"
    with pytest.raises(UnusablePackageError, match=expected):
        grid.fused_reading(torch.rand(3, 3), grid.table) if backend == "tinycudann" else grid.backend_on(CUDA)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"backend": "tcnn"}, "backend: 'tcnn' is not one of auto, triton, torch, tinycudann"),
        ({"backend": "tinycudann"}, "layout: 'paper' is not 'tiny_cuda_nn', which backend = 'tinycudann' needs"),
        (
            {"backend": "tinycudann", "layout": "tiny_cuda_nn", "features_per_level": 3},
            "features_per_level: 3 is not 1, 2, 4 or 8, which backend = 'tinycudann' needs",
        ),
    ],
)
def test_refuses_what_does_not_go_together(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        HashGrid(**settings)

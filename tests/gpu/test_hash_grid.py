"""The hash grid of table 1 on a GPU: its backends agree, and what each of them costs."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from rich.console import Console
from torch import Tensor

from methods.scenes.nerf.encodings import hash_grid_tinycudann, hash_grid_triton
from methods.scenes.nerf.encodings.hash_grid import HashGrid, HashGridModule
from methods.scenes.nerf.field import Blob, Field
from methods.scenes.nerf.normals import analytic_normals

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]
needs_tinycudann = pytest.mark.skipif(
    importlib.util.find_spec("tinycudann") is None, reason="tinycudann is not installed"
)

TABLE_1 = {"levels": 16, "log2_table_size": 19, "base_resolution": 16, "finest_resolution": 4096}
NAMES = ("features", "table", "points", "normals", "table from normals", "points from normals")


def build(layout: str, backend: str, **settings: Any) -> HashGridModule:
    made = HashGrid(**TABLE_1, layout=layout, backend=backend, **settings)
    return made.build(torch.Generator().manual_seed(0)).cuda()


def draw(count: int) -> Tensor:
    return torch.rand(count, 3, generator=torch.Generator().manual_seed(count)).cuda()


def read(grid: HashGridModule, backend: Any, points: Tensor) -> Iterator[Tensor]:
    """The values of ``NAMES``, as ``backend`` reads them."""
    grid.backend = backend
    points = points.clone().requires_grad_()
    features = grid(points)
    yield features
    yield from torch.autograd.grad(features.square().sum(), (grid.table, points), retain_graph=True)
    (slope,) = torch.autograd.grad(features.square().sum(), points, create_graph=True)
    normals = torch.nn.functional.normalize(slope, dim=-1)
    yield normals
    yield from torch.autograd.grad(normals[:, 0].sum(), (grid.table, points))


def test_triton_works_where_there_is_a_gpu() -> None:
    assert hash_grid_triton.problem() is None
    assert build("paper", "auto").backend_on(torch.device("cuda")) == "triton"


@pytest.mark.parametrize("layout", ["paper", "tiny_cuda_nn"])
@pytest.mark.parametrize("width", [1, 2, 3])
@pytest.mark.parametrize("count", [0, 1, 4001])
def test_triton_is_plain_torch(layout: str, width: int, count: int) -> None:
    grid, points = build(layout, "triton", features_per_level=width, initial_bound=1.0), draw(count)
    for name, ours, plain in zip(NAMES, read(grid, "triton", points), read(grid, "torch", points), strict=True):
        # the derivative of a unit vector divides by slopes that are near 0 in places
        assert (ours - plain).norm() <= (1e-4 if name.endswith("from normals") else 1e-5) * plain.norm(), name


@needs_tinycudann
def test_tinycudann_is_plain_torch() -> None:
    assert hash_grid_tinycudann.problem() is None
    grid, points = build("tiny_cuda_nn", "tinycudann", initial_bound=1.0), draw(4000)
    found = zip(NAMES, read(grid, "tinycudann", points), read(grid, "torch", points), strict=True)
    for name, fused, plain in found:
        # it multiplies and adds in one operation, which places a point among 4096 corners up to 4e-4 of a cell
        # elsewhere, and a slope is 4096 times a difference
        assert (fused - plain).norm() < (5e-3 if name == "features" else 5e-2) * plain.norm(), name


@pytest.mark.parametrize("backend", ["torch", "triton", pytest.param("tinycudann", marks=needs_tinycudann)])
@pytest.mark.parametrize("normals", [False, True], ids=["colours", "normals"])
def test_what_a_step_s_field_costs(backend: Any, normals: bool, capsys: pytest.CaptureFixture[str]) -> None:
    """Forward and backward of the field of table 1 on 2^20 samples."""
    grid = build("tiny_cuda_nn", backend)
    draws = torch.Generator().manual_seed(0)
    field = Field(grid.cpu(), radius=2.0, hidden=64, blob=Blob(), generator=draws, networks="separate").cuda()
    points = draw(2**20) - 0.5

    def step() -> None:
        sample = field(points)
        loss = sample.density.mean() + sample.rgb.square().mean()
        if normals:
            loss = loss + analytic_normals(field.density_logit, points)[:, 0].mean()
        loss.backward()

    for _ in range(3):
        step()
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    start = time.perf_counter()
    for _ in range(5):
        step()
    torch.cuda.synchronize()
    seconds, peak = (time.perf_counter() - start) / 5, torch.cuda.max_memory_allocated()
    with capsys.disabled():
        Console().print(f"\n{backend}: {1000 * seconds:.1f} ms, peak {peak / 2**20 / 1024:.2f} GiB per 2^20 samples")
    if backend == "triton":
        assert peak < 6 * 2**30

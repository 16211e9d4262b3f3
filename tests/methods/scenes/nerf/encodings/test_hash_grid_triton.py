"""The hash grid's kernels against plain torch: interpreted on the CPU, and compiled on a GPU."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor

from methods.scenes.nerf.encodings import hash_grid_triton
from methods.scenes.nerf.encodings.hash_grid import HashGrid, HashGridModule

pytestmark = pytest.mark.skipif(importlib.util.find_spec("triton") is None, reason="triton is not installed")

LAYOUTS = ("paper", "tiny_cuda_nn")
PROGRAM = Path(__file__).with_name("interpreted_hash_grid.py")
QUANTITIES = {
    "features", "gradient in the table", "gradient in the points", "normals",
    "table from normals", "points from normals", "hidden layer from normals", "last layer from normals",
}  # fmt: skip


def test_interpreted_kernels_are_plain_torch() -> None:
    environment = os.environ | {"TRITON_INTERPRET": "1", "PYTHONPATH": str(PROGRAM.parents[5])}
    done = subprocess.run([sys.executable, PROGRAM], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    differences = json.loads(done.stdout)
    assert differences.keys() == {f"{layout}, {points}" for layout in LAYOUTS for points in ("many", "one", "empty")}
    for case, found in differences.items():
        assert found.keys() == QUANTITIES
        assert max(found.values()) <= 1e-5, (case, found)


on_gpu = pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")


def all_of(grid: HashGridModule, points: Tensor) -> dict[str, Tensor]:
    """Features, both gradients, unit slopes, and the gradients of a loss on those."""
    points = points.clone().requires_grad_()
    features = grid(points)
    of_table, of_points = torch.autograd.grad(features.square().sum(), (grid.table, points), retain_graph=True)
    (slope,) = torch.autograd.grad(features.square().sum(), points, create_graph=True)
    normals = torch.nn.functional.normalize(slope, dim=-1)
    second = torch.autograd.grad(normals[:, 0].sum(), (grid.table, points))
    names = ("features", "table", "points", "normals", "table from normals", "points from normals")
    return dict(zip(names, (features, of_table, of_points, normals, *second), strict=True))


@pytest.mark.gpu
@on_gpu
@pytest.mark.parametrize("layout", LAYOUTS)
def test_compiled_kernels_are_plain_torch_at_the_size_of_the_paper(layout: str) -> None:
    assert hash_grid_triton.problem() is None
    settings = {"levels": 16, "log2_table_size": 19, "base_resolution": 16, "finest_resolution": 4096}
    made = HashGrid(**settings, layout=layout, initial_bound=1.0, backend="triton")
    grid = made.build(torch.Generator().manual_seed(0)).cuda()
    for count in (0, 1, 4001):
        points = torch.rand(count, 3, generator=torch.Generator().manual_seed(count)).cuda()
        grid.backend = "triton"
        ours = all_of(grid, points)
        grid.backend = "torch"
        for name, plain in all_of(grid, points).items():
            assert (ours[name] - plain).norm() <= 1e-5 * plain.norm(), (count, name)

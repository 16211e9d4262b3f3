"""The fused hash grid: one line where the library is missing, and the plain reading as its twin."""

from __future__ import annotations

import importlib.util

import pytest
import torch

from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.scenes.nerf.encodings.tcnn_hash_grid import TcnnHashGrid

SMALL = {"levels": 4, "log2_table_size": 7, "base_resolution": 3, "finest_resolution": 12}


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


@pytest.fixture
def pretend_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())


def test_a_missing_library_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ValueError, match=r"^encoding: 'tcnn_hash_grid' needs tinycudann, ") as error:
        TcnnHashGrid().build(generator())
    assert "\n" not in str(error.value)
    assert "is the same grid in plain torch, which is slower and also has analytic normals" in str(error.value)


@pytest.mark.usefixtures("pretend_installed")
def test_the_cpu_reads_the_same_table_in_plain_torch() -> None:
    fused = TcnnHashGrid(**SMALL, initial_bound=1.0).build(generator())
    plain = HashGrid(**SMALL, initial_bound=1.0, layout="tiny_cuda_nn").build(generator())
    points = torch.rand(30, 3, generator=generator())
    assert torch.equal(fused(points), plain(points))
    assert fused.state_dict().keys() == plain.state_dict().keys()


@pytest.mark.usefixtures("pretend_installed")
def test_the_defaults_are_those_of_sdi_yaml() -> None:
    fused = TcnnHashGrid().build(generator())
    assert fused.features == 32
    assert fused.library_settings["per_level_scale"] == pytest.approx(1.447269237440378, abs=1e-12)
    # corners of the levels below the hash, 16 to 71 along an edge, rounded up to eights; 11 levels of 2^19
    direct = [16**3, 24**3, 34**3, 49**3, 71**3]
    assert len(fused.table) == sum(-(-count // 8) * 8 for count in direct) + 11 * 2**19
    assert fused.table.abs().max() <= 1e-4


@pytest.mark.usefixtures("pretend_installed")
def test_refuses_widths_without_a_kernel() -> None:
    with pytest.raises(ValueError, match="features_per_level: 3 is not 1, 2, 4 or 8"):
        TcnnHashGrid(features_per_level=3).build(generator())


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="tinycudann needs a CUDA device")
@pytest.mark.skipif(importlib.util.find_spec("tinycudann") is None, reason="tinycudann is not installed")
def test_fused_and_plain_agree_in_value_slope_and_second_derivative() -> None:
    grid = TcnnHashGrid(initial_bound=1.0).build(generator()).cuda()
    points = torch.rand(4000, 3, generator=generator()).cuda().requires_grad_()
    found = {}
    for name, read in (("fused", grid), ("plain", grid.read)):
        features = read(points)
        (slope,) = torch.autograd.grad(features.square().sum(), points, create_graph=True)
        (table,) = torch.autograd.grad(features.square().sum(), grid.table, retain_graph=True)
        (second,) = torch.autograd.grad(torch.nn.functional.normalize(slope, dim=-1)[:, 0].sum(), grid.table)
        found[name] = features, table, slope, second
    # float32 places a point among 4096 corners to about 4e-4 of a cell, and a slope is 4096 times a difference
    for (fused, plain), tolerance in zip(zip(*found.values(), strict=True), (5e-3, 5e-2, 5e-2, 5e-2), strict=True):
        assert (fused - plain).norm() < tolerance * plain.norm()

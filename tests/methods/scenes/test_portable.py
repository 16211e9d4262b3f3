"""Settings for a machine without the packages of another."""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
import torch

from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.gaussians import Gaussians
from methods.scenes.gaussians.rasterisers import gsplat
from methods.scenes.gaussians.rasterisers.gsplat import Gsplat
from methods.scenes.gaussians.rasterisers.torch_tiles import TorchTiles
from methods.scenes.image import Image
from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.scenes.nerf.encodings.progressive_bands import ProgressiveBands
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.nerf import NeRF
from methods.scenes.portable import portable
from methods.settings import MissingPackageError

SMALL = {"levels": 2, "log2_table_size": 7, "base_resolution": 3, "finest_resolution": 12, "layout": "tiny_cuda_nn"}


def _nerf(reader: str, marcher: str) -> NeRF:
    bands = ProgressiveBands(encoding=HashGrid(**SMALL, backend=reader), levels=2, start_level=1)
    return NeRF(encoding=bands, marching=OccupancyMarching(14, marcher), hidden=8)


@pytest.mark.parametrize(
    ("settings", "plain"),
    [
        (Gaussians(count=7, rasteriser=Gsplat()), Gaussians(count=7, rasteriser=TorchTiles())),
        (_nerf("tinycudann", "torch"), _nerf("auto", "torch")),
        (_nerf("torch", "nerfacc"), _nerf("torch", "auto")),
        (_nerf("triton", "nerfacc"), _nerf("auto", "auto")),
    ],
    ids=["gsplat", "tinycudann in bands", "nerfacc", "triton and nerfacc"],
)
def test_code_that_needs_a_package_is_replaced(settings: Any, plain: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda *name: None)
    monkeypatch.setattr(gsplat, "problem", lambda: "is not installed")

    def build(made: Any) -> dict[str, torch.Tensor]:
        return made.build(GaussianPrior(), torch.Generator().manual_seed(0)).state_dict()

    with pytest.raises(MissingPackageError):
        build(settings)
    assert portable(settings) == plain
    found, expected = build(portable(settings)), build(plain)
    assert found.keys() == expected.keys()
    assert all(torch.equal(found[name], value) for name, value in expected.items())


@pytest.mark.parametrize("settings", [NeRF(), Gaussians(), Image(), _nerf("torch", "torch")], ids=repr)
def test_code_that_needs_none_stays_what_it_is(settings: Any) -> None:
    assert portable(settings) is settings

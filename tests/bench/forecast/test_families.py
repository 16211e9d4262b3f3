"""The counted cost of every family's networks: their layers, without weights."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tiny_flows import flux, stable_diffusion_3
from tiny_pipelines import deepfloyd_if, pixart, sdxl

from bench.forecast.counting_prior import Request
from bench.forecast.network_costs import NetworkCosts
from methods.priors.pipeline.architecture import Architecture
from methods.priors.pipeline.shape_networks import ShapeNetworks


@pytest.mark.parametrize(
    ("write", "resolution"), [(sdxl, 64), (deepfloyd_if, 32), (pixart, 64), (stable_diffusion_3, 64), (flux, 64)]
)
def test_networks_are_counted_as_they_are_called(tmp_path: Path, write: Callable[[Path], Any], resolution: int) -> None:
    pipe = write(tmp_path / "pipeline")
    architecture = Architecture.of_folder(tmp_path / "pipeline")
    costs, larger = NetworkCosts(architecture), ShapeNetworks(architecture, resolution)
    networks = [getattr(pipe, name) for name in architecture.family.networks()]
    sizes = [sum(value.numel() for value in network.parameters()) for network in networks]
    in_float32 = architecture.family.upcasts_codec and "vae" in architecture.family.networks()
    upcast = sizes[architecture.family.networks().index("vae")] if in_float32 else 0
    assert costs.weight_bytes == 2 * sum(sizes) + 2 * upcast
    plain, copied = (costs.of(Request(network, has_gradient=False), 4) for network in ("unet", "adapted"))
    assert 0 < plain.operations < copied.operations
    assert costs.trained_bytes(4) > 0
    assert larger.images().shape[-1] == resolution
    assert larger.predict_noise(larger.latents()).shape == larger.latents().shape
    has_vae = "vae" in architecture.family.components
    assert (costs.of(Request("encoder", has_gradient=False)).operations > 1e6) == has_vae

"""Rasterisers: from Gaussians in space to sums of their values at each pixel."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.gaussians.rasterisers.rasteriser import Rasteriser

rasterisers: Registry[type[Rasteriser]] = Registry(
    "rasteriser", "methods.scenes.gaussians.rasterisers", base=Rasteriser
)

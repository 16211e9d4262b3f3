"""Density control: which Gaussians are moved, added and removed between steps."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.gaussians.density.density_control import DensityControl

density_controls: Registry[type[DensityControl]] = Registry(
    "density control", "methods.scenes.gaussians.density", base=DensityControl
)

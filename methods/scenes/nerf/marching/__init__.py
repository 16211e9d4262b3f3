"""Ray marching: where a field is evaluated along a ray, and how much each sample counts."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.nerf.marching.samples import Marching

marchings: Registry[type[Marching]] = Registry("marching", "methods.scenes.nerf.marching", base=Marching)

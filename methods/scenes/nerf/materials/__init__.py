"""Materials, one per file: how a surface shows its colour."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.nerf.materials.material import Material

materials: Registry[type[Material]] = Registry("material", "methods.scenes.nerf.materials", base=Material)

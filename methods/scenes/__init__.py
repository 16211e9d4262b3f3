"""Scenes by name: what is optimised, one file or folder each."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.scene import SceneSettings

scenes: Registry[type[SceneSettings]] = Registry("scene", "methods.scenes", base=SceneSettings)

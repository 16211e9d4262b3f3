"""Scenes by name, one file or folder per scene."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.scene import SceneSettings

scenes: Registry[type[SceneSettings]] = Registry("scene", "methods.scenes", base=SceneSettings)

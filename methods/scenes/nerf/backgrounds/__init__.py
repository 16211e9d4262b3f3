"""Backgrounds, one per file: the colours behind a scene."""

from __future__ import annotations

from methods.registry import Registry
from methods.scenes.nerf.backgrounds.background import Background

backgrounds: Registry[type[Background]] = Registry("background", "methods.scenes.nerf.backgrounds", base=Background)

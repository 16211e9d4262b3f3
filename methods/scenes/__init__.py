"""Scenes: what is optimised, by name.  ``scenes["nerf"](**settings, init=generator)`` builds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from methods.registry import Registry

if TYPE_CHECKING:  # contracts imports methods.scenes.cameras, and with it this file
    from methods.contracts import Scene
    from methods.scenes.background import Background
    from methods.scenes.encoding import Encoding
    from methods.scenes.material import Material

#: Constructors of scenes; each takes its settings and ``init: torch.Generator`` as keywords.
scenes: Registry[Callable[..., Scene]] = Registry("scene", "methods.scenes")

#: Constructors of encodings of space; each takes its settings and ``init: torch.Generator`` as keywords.
encodings: Registry[Callable[..., Encoding]] = Registry("encoding", "methods.scenes")

#: Constructors of materials; each takes its settings and ``init: torch.Generator`` as keywords.
materials: Registry[Callable[..., Material]] = Registry("material", "methods.scenes")

#: Constructors of backgrounds; each takes its settings and ``init: torch.Generator`` as keywords.
backgrounds: Registry[Callable[..., Background]] = Registry("background", "methods.scenes")

__all__ = ["backgrounds", "encodings", "materials", "scenes"]

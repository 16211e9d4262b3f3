"""Scenes: what is optimised, by name.  ``scenes["nerf"](**settings, init=generator)`` builds one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from methods.registry import Registry

if TYPE_CHECKING:  # contracts imports methods.scenes.cameras, and with it this file
    from methods.contracts import Scene

#: Constructors of scenes; each takes its settings and ``init: torch.Generator`` as keywords.
scenes: Registry[Callable[..., Scene]] = Registry("scene", "methods.scenes")

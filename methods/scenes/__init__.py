"""Scenes: what is optimised, by name.  ``scenes["nerf"](**settings, init=generator)`` builds one."""

from __future__ import annotations

from collections.abc import Callable

from methods.contracts import Scene
from methods.registry import Registry

#: Constructors of scenes; each takes its settings and ``init: torch.Generator`` as keywords.
scenes: Registry[Callable[..., Scene]] = Registry("scene", "methods.scenes")

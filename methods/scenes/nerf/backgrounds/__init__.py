"""What lies behind a scene, one a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from methods.registry import Registry

if TYPE_CHECKING:  # its module imports this one
    from methods.scenes.nerf.backgrounds.background import Background

#: Constructors of backgrounds; each takes its settings and ``init: torch.Generator`` as keywords.
backgrounds: Registry[Callable[..., Background]] = Registry("background", "methods.scenes.nerf.backgrounds")

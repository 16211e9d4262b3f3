"""How a surface shows its colour, one a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from methods.registry import Registry

if TYPE_CHECKING:  # its module imports this one
    from methods.scenes.nerf.materials.material import Material

#: Constructors of materials; each takes its settings and ``init: torch.Generator`` as keywords.
materials: Registry[Callable[..., Material]] = Registry("material", "methods.scenes.nerf.materials")

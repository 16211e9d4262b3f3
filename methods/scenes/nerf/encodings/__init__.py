"""Encodings of space, one a file."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from methods.registry import Registry

if TYPE_CHECKING:  # its module imports this one
    from methods.scenes.nerf.encodings.encoding import Encoding

#: Constructors of encodings; each takes its settings and ``init: torch.Generator`` as keywords.
encodings: Registry[Callable[..., Encoding]] = Registry("encoding", "methods.scenes.nerf.encodings")

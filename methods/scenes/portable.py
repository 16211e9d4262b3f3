"""Scenes on machines that lack the package or the device they were optimised with."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import Any


def portable(settings: Any) -> Any:
    """The same settings with code that runs everywhere in the place of code that needs a package.

    Such a part has a method ``portable`` that returns the part to take for it; parts of parts are looked at too.  The
    parameters of the scene are the same, and what it renders is the same within the tolerance of the two codes.

    Args:
        settings: A frozen dataclass, a scene's settings or a part of them.
    """
    own = getattr(settings, "portable", None)
    found = settings if own is None else own()
    parts = {field.name: getattr(found, field.name) for field in fields(found) if field.init}
    parts = {name: part for name, part in parts.items() if is_dataclass(part) and not isinstance(part, type)}
    changes = {name: other for name, part in parts.items() if (other := portable(part)) is not part}
    return replace(found, **changes) if changes else found

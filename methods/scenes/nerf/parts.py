"""Building the parts of a scene that are chosen by name."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

import torch

from methods.registry import Registry

Part = TypeVar("Part")


def build_part(
    registry: Registry[Callable[..., Part]], field: str, name: str, settings: Mapping[str, Any], init: torch.Generator
) -> Part:
    """The part registered under ``name`` with its own ``settings``.

    Args:
        registry: Constructors, which take their settings and ``init`` by keyword.
        field: The name under which the user wrote the settings.
        name: Registered name.
        settings: The part's settings.
        init: Generator of its initial parameters.

    Raises:
        UnknownNameError: If nothing has the name.
        ValueError: If a setting is not the part's, or out of its range.
    """
    build = registry[name]
    try:
        inspect.signature(build).bind(**settings, init=init)
    except TypeError as error:
        raise ValueError(f"{field}: {dict(settings)!r} is not for {name!r}: {error}") from None
    return build(**settings, init=init)

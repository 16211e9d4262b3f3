"""Paths of settings of cells, such as ``scene.penalties.sparsity``."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import BaseModel

from bench.errors import InputError
from bench.study.cell import Cell
from methods.contracts import Method
from methods.registry import nearest, registry_of
from methods.scenes.scene import SceneSettings

#: Settings of a cell that are those of a registered part.
_PARTS = {"hyper_parameters": Method, "scene": SceneSettings}


def check_path(path: str, where: str) -> None:
    """Check that a cell can have a setting at a path, whatever its method and the parts of its scene are.

    Args:
        path: Keys, joined by dots.
        where: Beginning of the message of an error.

    Raises:
        InputError: If it cannot.
    """
    hints: list[Any] = [Cell]
    for key in path.split("."):
        if any(issubclass(get_origin(hint) or object, Mapping) for hint in hints):  # a table with keys of its own
            return
        below = [_settings_of(hint) for hint in hints]
        hints = [member for settings in below if key in settings for member in _members(settings[key])]
        if not hints:
            known = {name for settings in below for name in settings}
            right = nearest(key, known) if known else "what is before it has no settings"
            raise InputError(f"{where} = {path!r}: unknown key {key!r}: {right}")


def _members(hint: Any) -> tuple[Any, ...]:
    return get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)


def _settings_of(hint: Any) -> dict[str, Any]:
    """The types of the settings of a section or a part, by key; for a part that is chosen by name, those of all parts.

    A key that parts have with different types has a union of them.
    """
    if hint is Cell:
        return _hints(Cell) | _PARTS
    if (registry := registry_of(hint)) is None:
        return _hints(hint)
    found: dict[str, Any] = {}
    for name in registry.names():
        for key, own in _hints(registry[name]).items():
            found[key] = found[key] | own if key in found else own
    return found


def _hints(section: Any) -> dict[str, Any]:
    if inspect.isclass(section) and issubclass(section, BaseModel):
        return {name: field.annotation for name, field in section.model_fields.items()}
    if inspect.isclass(section) and dataclasses.is_dataclass(section):
        hints = get_type_hints(section)
        return {field.name: hints[field.name] for field in dataclasses.fields(section)}
    return {}

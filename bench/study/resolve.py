"""Settings of a file as the dataclasses that they are for, with names, types and values checked."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from bench.errors import InputError
from bench.study.cell import Cell
from bench.study.settings import named_table
from methods.contracts import Method
from methods.distillation import methods
from methods.registry import Registry, UnknownNameError, nearest, registry_of
from methods.scenes import scenes
from methods.scenes.scene import SceneSettings

_JSON: TypeAdapter[Any] = TypeAdapter(Any)


def cell_method(cell: Cell) -> Method:
    """Make the method of a cell.

    Raises:
        InputError: If the cell's settings are not those of its method.
    """
    method: Method = resolve_settings(methods[cell.method], cell.hyper_parameters, where=cell.label)
    return method


def cell_scene(cell: Cell) -> SceneSettings:
    """Make the settings of a cell's scene.

    Raises:
        InputError: If the cell's settings are not those of its scene.
    """
    settings: SceneSettings = resolve_part(cell.scene, scenes, where="scene")
    return settings


def resolve_part(value: Any, registry: Registry[Any], *, where: str) -> Any:
    """Make the registered dataclass that ``value`` names.

    Args:
        value: A table with the key ``name`` and the part's own settings, or its name alone.
        registry: The registry that the name is looked up in.
        where: Beginning of the message of an error (``"scene"``).

    Raises:
        InputError: If a name is unknown or missing, or a value is of another type or out of its range.
    """
    table = named_table(value)
    if not isinstance(table, Mapping) or not isinstance(table.get("name"), str):
        example = f'name = "{registry.names()[0]}"'
        raise InputError(f"{where} = {value!r}: must be a table with a key name, such as {example}")
    given = {name: setting for name, setting in table.items() if name != "name"}
    try:
        factory = registry[table["name"]]
    except UnknownNameError as error:
        raise InputError(f"{where}: {error}") from error
    return resolve_settings(factory, given, where=where)


def resolve_settings(factory: type, given: Mapping[str, Any], *, where: str) -> Any:
    """Make the dataclass ``factory`` from settings, each value of its declared type.

    Args:
        factory: A frozen dataclass whose fields are the settings.  A field whose type is the base of a registry is a
            part chosen by name; one whose type is a dataclass is a table.
        given: Settings by name, as JSON has them.
        where: Beginning of the message of an error (``"methods.sdi"``).

    Raises:
        InputError: If a name is unknown or missing, or a value is of another type or out of its range.
    """
    fields = {field.name: field for field in dataclasses.fields(factory) if field.init}
    hints = get_type_hints(factory)
    for name in given:
        if name not in fields:
            raise InputError(f"{where}: unknown key {name!r}: {nearest(name, fields)}")
    for name, field in fields.items():
        if name not in given and field.default is field.default_factory is dataclasses.MISSING:
            raise InputError(f"{where}: the key {name!r} is missing")
    settings = {name: _checked(value, hints[name], f"{where}.{name}") for name, value in given.items()}
    try:
        return factory(**settings)
    except (TypeError, ValueError) as error:
        raise InputError(f"{where}: {error}") from error


def plain_settings(thing: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON; a part chosen by name is a table with its ``name``.

    A method's fields that came later (``Component.later_fields``) are left out at their default.
    """
    hints, later = get_type_hints(type(thing)), getattr(type(thing), "later_fields", ())
    plain = {}
    for field in dataclasses.fields(thing):
        value = getattr(thing, field.name)
        if field.name in later and value == field.default:
            continue
        if (registry := registry_of(hints[field.name])) is not None:
            value = plain_part(value, registry)
        elif dataclasses.is_dataclass(value):
            value = plain_settings(value)
        plain[field.name] = value
    return dict(_JSON.dump_python(plain, mode="json", fallback=dict))


def plain_part(thing: Any, registry: Registry[Any]) -> dict[str, Any]:
    """A registered dataclass as JSON: a table with its ``name`` and all of its settings."""
    return {"name": registry.name_of(type(thing)), **plain_settings(thing)}


def _validated(adapter: TypeAdapter[Any], value: Any) -> Any:
    """The value as the adapter has it: through JSON, whose strict mode accepts lists for tuples and nothing else."""
    try:
        text = json.dumps(value)
    except (TypeError, ValueError):  # no value of a file
        return adapter.validate_python(value)
    return adapter.validate_json(text, strict=True)


def _checked(value: Any, hint: Any, where: str) -> Any:
    if (registry := registry_of(hint)) is not None:
        return resolve_part(value, registry, where=where)
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        if not isinstance(value, Mapping):
            raise InputError(f"{where} = {value!r}: must be a table of settings")
        return resolve_settings(hint, value, where=where)
    if isinstance(value, bool) and {int, float} & {hint, *get_args(hint)}:  # pydantic's lax mode would make 1 of true
        raise InputError(f"{where} = {value!r}: must be a number")
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))
        return _validated(adapter, value)
    except PydanticSchemaGenerationError:  # a type that pydantic does not know; the dataclass will judge
        return value
    except ValidationError as error:
        found = [each["msg"] for each in error.errors(include_url=False)]
        messages = dict.fromkeys(found) if get_origin(hint) in (Union, UnionType) else found[:1]
        right = ", or ".join(message[0].lower() + message[1:] for message in messages)
        raise InputError(f"{where} = {value!r}: {right}") from error

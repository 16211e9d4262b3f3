"""Settings of scenes, which are arguments of a constructor until they are dataclasses as all else is."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable, Mapping
from typing import Any, get_type_hints

from pydantic import ConfigDict, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from bench.errors import InputError, nearest
from methods.contracts import InversionStrategy
from methods.inversion import strategies
from methods.registry import Registry, UnknownNameError

_JSON: TypeAdapter[Any] = TypeAdapter(Any)

#: Settings that are things chosen by name: a table with the key ``name`` and the thing's own settings.
_BY_NAME: dict[Any, Registry[Any]] = {InversionStrategy: strategies}


def resolve_settings(factory: Callable[..., Any], given: Mapping[str, Any], *, where: str) -> dict[str, Any]:
    """``given`` with the constructor's defaults filled in and every value of its declared type.

    Args:
        factory: A class whose constructor takes the settings by keyword; ``init`` and ``prior`` are no settings.
        given: Settings by name, as JSON has them.
        where: Begins the message of an error (``"methods.sdi"``).

    Raises:
        InputError: If a name is unknown or missing, or a value is of another type.
    """
    signature = inspect.signature(factory)
    parameters = {name: p for name, p in signature.parameters.items() if name not in ("init", "prior")}
    hints = get_type_hints(factory if dataclasses.is_dataclass(factory) else getattr(factory, "__init__"))  # noqa: B009
    for name in given:
        if name not in parameters:
            raise InputError(f"{where}: unknown key {name!r}: {nearest(name, parameters)}")
    settings = {}
    for name, parameter in parameters.items():
        if name in given:
            settings[name] = _checked(given[name], hints.get(name, Any), f"{where}.{name}")
        elif parameter.default is parameter.empty:
            raise InputError(f"{where}: the key {name!r} is missing")
        else:
            settings[name] = parameter.default
    return settings


def takes_prior(factory: Callable[..., Any]) -> bool:
    """Whether a scene is built for one prior (one of latents has their shape)."""
    return "prior" in inspect.signature(factory).parameters


def plain_settings(thing: Any) -> dict[str, Any]:
    """The fields of a dataclass as JSON has them; a thing chosen by name is a table with its ``name``."""
    fields = {field.name: getattr(thing, field.name) for field in dataclasses.fields(thing)}
    hints = get_type_hints(type(thing))
    for name, value in fields.items():
        if (registry := _BY_NAME.get(hints[name])) is not None:
            fields[name] = {"name": registry.name_of(type(value)), **plain_settings(value)}
    return dict(_JSON.dump_python(fields, mode="json", fallback=dict))


def _checked(value: Any, hint: Any, where: str) -> Any:
    if (registry := _BY_NAME.get(hint)) is not None:
        return _chosen(value, registry, where)
    if isinstance(value, bool) and hint in (int, float):  # pydantic's lax mode would make 1 of true
        raise InputError(f"{where} = {value!r}: must be a number")
    try:
        adapter = TypeAdapter(hint, config=ConfigDict(arbitrary_types_allowed=True, allow_inf_nan=False))
        return adapter.validate_python(value)
    except PydanticSchemaGenerationError:  # a type pydantic knows nothing of; the constructor will judge
        return value
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"]
        raise InputError(f"{where} = {value!r}: {message[0].lower()}{message[1:]}") from error


def _chosen(value: Any, registry: Registry[Any], where: str) -> Any:
    if not isinstance(value, Mapping) or "name" not in value:
        example = f'name = "{registry.names()[0]}"'
        raise InputError(f"{where} = {value!r}: must be a table with a key name, such as {example}")
    given = dict(value)
    try:
        factory = registry[str(given.pop("name"))]
    except UnknownNameError as error:
        raise InputError(f"{where}: {error}") from error
    try:
        return factory(**resolve_settings(factory, given, where=where))
    except ValueError as error:
        raise InputError(f"{where}: {error}") from error

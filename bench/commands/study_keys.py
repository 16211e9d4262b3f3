"""The keys of a study file, with their defaults and meanings."""

from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel
from pydantic.fields import FieldInfo

from bench.commands.documented import field_docs
from bench.study.printed import toml_value
from bench.study.study import NOT_IN_FILES, Study


def study_keys() -> Iterator[tuple[str, str]]:
    """Yield each key, those of its tables with a dot, and its meaning with the default."""
    for name, field in Study.model_fields.items():
        if name not in NOT_IN_FILES:
            yield from _key(name, field)


def keys_of(name: str) -> list[tuple[str, str]] | None:
    """The key ``name``, or those of the table ``name``; None if there is none."""
    found = [(key, words) for key, words in study_keys() if key == name or key.startswith(f"{name}.")]
    return found or None


def _key(name: str, field: FieldInfo) -> Iterator[tuple[str, str]]:
    words = " ".join((field.description or "").split())
    if field.is_required():
        yield name, f"{words} Required."
    elif isinstance(field.default, BaseModel):
        yield name, words
        for inner, table in type(field.default).model_fields.items():
            chosen = FieldInfo(default=getattr(field.default, inner), description=table.description)
            yield from _key(f"{name}.{inner}", chosen)
    elif dataclasses.is_dataclass(field.default):
        yield name, words
        documented = field_docs(type(field.default))
        for part in dataclasses.fields(field.default):
            yield f"{name}.{part.name}", _with_default(documented.get(part.name, ""), part.default)
    else:
        yield name, _with_default(words, field.default)
        for entry in get_args(field.annotation):
            if inspect.isclass(entry) and issubclass(entry, BaseModel) and field.default == ():
                for inner, table in entry.model_fields.items():  # of a list of tables
                    yield from _key(f"{name}.{inner}", table)


def _with_default(words: str, default: Any) -> str:
    if default is None or default in ((), {}, ""):  # the words say what happens without it
        return words
    shown = list(default) if isinstance(default, tuple) else default
    return f"{words} Default: {toml_value(shown)}."

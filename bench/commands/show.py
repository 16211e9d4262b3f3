"""The command ``show``: everything that is known of one name."""

from __future__ import annotations

import ast
import dataclasses
import importlib
import inspect
import textwrap
from collections.abc import Callable, Iterator
from functools import partial
from itertools import pairwise
from typing import Any, get_type_hints

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.commands.list import KINDS, REGISTRIES, describe, registry_of_kind
from bench.errors import InputError
from bench.study.printed import toml_value
from bench.study.resolve import plain_part, plain_settings
from bench.study.study import load_study, study_names
from methods.registry import Registry, nearest, registry_of

#: Labels and texts, in the order to read.
Facts = list[tuple[str, str]]


def show(name: str, console: Console) -> None:
    """Print the card of everything that is called ``name``: description, settings with defaults, and what differs.

    Raises:
        InputError: If nothing is called so.
    """
    found = [(kind, facts) for kind, look_up in _kinds().items() if (facts := look_up(name)) is not None]
    if not found:
        known = {known for kind in KINDS for known, _ in KINDS[kind]()}
        raise InputError(f"unknown name {name!r}: {nearest(name, known)}")
    for kind, facts in found:
        table = Table(title=Text(f"{name} ({kind})", style="table.title"), show_header=False, title_justify="left")
        for label, text in facts:
            table.add_row(Text(label), Text(text))
        console.print(table)


def _kinds() -> dict[str, Callable[[str], Facts | None]]:
    registered = {kind: partial(_registered, kind) for kind in REGISTRIES}
    return {**registered, "studies": _study, "prompts": _prompt_set}


def _registered(kind: str, name: str) -> Facts | None:
    registry = registry_of_kind(kind)
    if name not in registry:
        return None
    thing = registry[name]
    facts = [("description", " ".join(describe(thing).split()))]
    if kind == "methods":
        from methods.card import card_of

        card = card_of(name, thing)
        facts += [("card", "none")] if card is None else card.facts
    if kind == "metrics":
        facts += [column.fact for column in thing.columns]  # the rest of a card needs the models of a suite
    elif inspect.isclass(thing) and dataclasses.is_dataclass(thing):
        facts += list(_settings(thing))
    return facts


def _settings(thing: type) -> Iterator[tuple[str, str]]:
    documented, hints = field_docs(thing), get_type_hints(thing)
    for field in dataclasses.fields(thing):
        registry = registry_of(hints[field.name])
        default = "" if field.default is dataclasses.MISSING else f" = {_as_written(field.default, registry)}"
        words = documented.get(field.name, "")
        yield f"{field.name}{default}", words if registry is None else f"{words} One of {', '.join(registry.names())}."


def _as_written(default: Any, registry: Registry[Any] | None) -> str:
    """A default value as a study has it."""
    if registry is not None and dataclasses.is_dataclass(default):
        return toml_value(plain_part(default, registry))
    return toml_value(plain_settings(default)) if dataclasses.is_dataclass(default) else repr(default)


def field_docs(thing: type) -> dict[str, str]:
    """The docstring behind each field of a class and of its bases."""
    found: dict[str, str] = {}
    for parent in reversed([each for each in thing.__mro__ if dataclasses.is_dataclass(each)]):
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(parent))).body
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for statement, after in pairwise(body):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[statement.target.id] = " ".join(str(after.value.value).split())
    return found


def _study(name: str) -> Facts | None:
    if name not in study_names():
        return None
    study = load_study(name)
    fields = study.model_dump(mode="json", exclude={"name", "methods", "figures", "paper_claims"}, exclude_none=True)
    arms = [("arm", f"{label}: {settings}") for label, settings in study.methods.items()]
    return [*((label, str(value)) for label, value in fields.items()), *arms]


def _prompt_set(name: str) -> Facts | None:
    prompts = importlib.import_module("prompts")
    if name not in prompts.prompt_set_names():
        return None
    prompt_set = prompts.load_prompt_set(name)
    facts = [("version", str(prompt_set.version)), ("source", prompt_set.source), ("licence", prompt_set.licence)]
    return [*facts, *((prompt.id, prompt.text) for prompt in prompt_set.prompts)]

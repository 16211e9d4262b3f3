"""The command ``show``: everything that is known of one name."""

from __future__ import annotations

import dataclasses
import importlib
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_type_hints

from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.commands.documented import field_docs, plain
from bench.commands.list import KINDS, REGISTRIES, describe, registry_of_kind
from bench.commands.study_keys import keys_of
from bench.errors import InputError
from bench.study.printed import toml_value
from bench.study.resolve import plain_part
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
            table.add_row(Text(label), Text(plain(text)))
        console.print(table)


def _kinds() -> dict[str, Callable[[str], Facts | None]]:
    registered = {kind: partial(_registered, kind) for kind in REGISTRIES}
    return {**registered, "priors": _prior, "studies": _study, "prompts": _prompt_set, "keys": keys_of}


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
    elif kind == "suites":
        facts += [(role, _origin(model)) for role, model in thing.models.items()]
    elif inspect.isclass(thing) and dataclasses.is_dataclass(thing):
        facts += list(_settings(thing))
    return facts


def _prior(name: str) -> Facts | None:
    """A registered prior, or a kind of pipelines that can be priors."""
    from methods.priors.pipeline.families import FAMILIES

    family = next((family for family in FAMILIES if name in family.pipelines), None)
    if family is None:
        return _registered("priors", name)
    components = [(f"{component} is", " or ".join(classes)) for component, classes in family.components.items()]
    return [
        ("description", " ".join(describe(family).split())),
        ("use", 'prior = "PATH" or "owner/name" of the hub, with a model_index.json whose _class_name is this'),
        *components,
        ("guidance scale", f"{family.guidance_scale:g}, for a folder without a card"),
    ]


def _origin(model: Any) -> str:
    """A model of a suite, and where it comes from."""
    place = f"{model.title}, from {model.repository}" if model.repository else f"{model.folder.name}, in the package"
    return f"{place}; fetched only if it is named" if model.optional else place


def _settings(thing: type, chosen: Any = None, table: str = "") -> Iterator[tuple[str, str]]:
    """The fields of a dataclass, and behind a field that is a table the fields of that."""
    documented, hints = field_docs(thing), get_type_hints(thing)
    for field in dataclasses.fields(thing):
        registry, name = registry_of(hints[field.name]), f"{table}{field.name}"
        words, value = documented.get(field.name, ""), getattr(chosen, field.name, field.default)
        if registry is None and dataclasses.is_dataclass(value):
            yield name, words
            yield from _settings(type(value), value, f"{name}.")
            continue
        default = "" if value is dataclasses.MISSING else f" = {_as_written(value, registry)}"
        yield f"{name}{default}", words if registry is None else f"{words} One of {', '.join(registry.names())}."


def _as_written(default: Any, registry: Registry[Any] | None) -> str:
    """A default value as a study has it."""
    if registry is not None and dataclasses.is_dataclass(default):
        return toml_value(plain_part(default, registry))
    return repr(default)


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

"""The command ``list``: names to choose from, and BibTeX."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from functools import partial

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bench.errors import InputError
from bench.study.study import load_study, study_names


def list_kind(kind: str, console: Console) -> None:
    """Print the names of a kind of thing, each with its first line of documentation; methods with their cards."""
    table = Table(Column("name", no_wrap=True), "description", title=kind, show_lines=kind == "methods")
    for name, words in KINDS[kind]():
        table.add_row(name, Text(words))  # square brackets are no markup here
    console.print(table)


def bibtex_of(name: str) -> str:
    """The BibTeX entry of the paper of the method ``name``.

    Raises:
        UnknownNameError: If there is no such method.
        InputError: If it has no card.
    """
    from methods.card import card_of
    from methods.distillation import methods

    card = card_of(name, methods[name])
    if card is None:
        raise InputError(f"method {name!r} has no card, so its paper is not known")
    return card.paper.bibtex


def _registered(package: str, name: str) -> Iterator[tuple[str, str]]:
    registry = getattr(importlib.import_module(package), name)
    for key in registry.names():
        thing = registry[key]
        text = getattr(thing, "summary", None) or inspect.getdoc(thing) or ""
        yield key, text.split("\n\n")[0].replace("\n", " ")


def _methods() -> Iterator[tuple[str, str]]:
    from methods.card import card_of
    from methods.distillation import methods

    for name, words in _registered("methods.distillation", "methods"):
        card = card_of(name, methods[name])
        if card is None:
            yield name, f"{words}\nno card"
            continue
        facts = dict(card.facts)
        yield name, "\n".join([words, *(f"{label:<6} {facts[label]}" for label in ("paper", "w(t)", "CFG"))])


def _prompt_sets() -> Iterator[tuple[str, str]]:
    prompts = importlib.import_module("prompts")
    for name in prompts.prompt_set_names():
        prompt_set = prompts.load_prompt_set(name)
        yield name, f"{len(prompt_set.prompts)} prompts, version {prompt_set.version}, {prompt_set.source}"


def _studies() -> Iterator[tuple[str, str]]:
    for name in study_names():
        study = load_study(name)
        yield name, f"{study.title}: {study.description}"


#: How the things of each kind are found; imports wait until they are asked for, since torch takes seconds.
KINDS: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
    "methods": _methods,
    "metrics": partial(_registered, "metrics", "metrics"),
    "prompts": _prompt_sets,
    "studies": _studies,
    "priors": partial(_registered, "methods.priors", "priors"),
    "strategies": partial(_registered, "methods.inversion", "strategies"),
    "schedules": partial(_registered, "methods.diffusion.schedules", "schedules"),
    "scenes": partial(_registered, "methods.scenes", "scenes"),
    "materials": partial(_registered, "methods.scenes.nerf.materials", "materials"),
    "backgrounds": partial(_registered, "methods.scenes.nerf.backgrounds", "backgrounds"),
    "marchings": partial(_registered, "methods.scenes.nerf.marching", "marchings"),
    "encodings": partial(_registered, "methods.scenes.nerf.encodings", "encodings"),
    "engines": partial(_registered, "bench.engines", "engines"),
}

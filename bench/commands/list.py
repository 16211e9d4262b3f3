"""The command ``list``: names to choose from, and BibTeX."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bench.commands.documented import plain
from bench.commands.study_keys import study_keys
from bench.errors import InputError
from bench.study.study import load_study, study_names
from methods.registry import Registry


def list_kind(kind: str, console: Console) -> None:
    """Print the names of a kind of thing, each with its first line of documentation; methods with their cards."""
    table = Table(Column("name", no_wrap=True), "description", title=kind, show_lines=kind == "methods")
    for name, words in KINDS[kind]():
        table.add_row(name, Text(plain(words)))  # square brackets are no markup here
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


def registry_of_kind(kind: str) -> Registry[Any]:
    """The registry of a kind in ``REGISTRIES``, imported now."""
    package, name = REGISTRIES[kind]
    registry: Registry[Any] = getattr(importlib.import_module(package), name)
    return registry


def describe(thing: Any) -> str:
    """The description of a registered thing: its summary, or its docstring up to the first section."""
    text = getattr(thing, "summary", None) or inspect.getdoc(thing) or ""
    return re.split(r"\n\n(?:Args|Raises|Returns|Yields|Attributes):\n", text)[0]


def _registered(kind: str) -> Iterator[tuple[str, str]]:
    registry = registry_of_kind(kind)
    for name in registry.names():
        yield name, describe(registry[name]).split("\n\n")[0].replace("\n", " ")


def _methods() -> Iterator[tuple[str, str]]:
    from methods.card import card_of
    from methods.distillation import methods

    for name, words in _registered("methods"):
        card = card_of(name, methods[name])
        if card is None:
            yield name, f"{words}\nno card"
            continue
        facts = dict(card.facts)
        yield name, "\n".join([words, *(f"{label:<6} {facts[label]}" for label in ("paper", "w(t)", "CFG"))])


def _priors() -> Iterator[tuple[str, str]]:
    from methods.priors.pipeline.families import FAMILIES

    yield from _registered("priors")
    for family in FAMILIES:
        summary = describe(family).partition("\n")[0]
        for pipeline in family.pipelines:
            yield pipeline, f"Any folder, or owner/name of the hub, of this kind: {summary}"


def _prompt_sets() -> Iterator[tuple[str, str]]:
    prompts = importlib.import_module("prompts")
    for name in prompts.prompt_set_names():
        prompt_set = prompts.load_prompt_set(name)
        yield name, f"{len(prompt_set.prompts)} prompts, version {prompt_set.version}, {prompt_set.source}"


def _studies() -> Iterator[tuple[str, str]]:
    for name in study_names():
        study = load_study(name)
        yield name, f"{study.title}: {study.description}"


#: Registries by kind, as module and name: importing them takes seconds, so it waits until they are asked for.
REGISTRIES = {
    "methods": ("methods.distillation", "methods"),
    "metrics": ("metrics", "metrics"),
    "priors": ("methods.priors", "priors"),
    "strategies": ("methods.inversion", "strategies"),
    "schedules": ("methods.diffusion.schedules", "schedules"),
    "scenes": ("methods.scenes", "scenes"),
    "materials": ("methods.scenes.nerf.materials", "materials"),
    "backgrounds": ("methods.scenes.nerf.backgrounds", "backgrounds"),
    "marchings": ("methods.scenes.nerf.marching", "marchings"),
    "rasterisers": ("methods.scenes.gaussians.rasterisers", "rasterisers"),
    "initialisations": ("methods.scenes.gaussians.initialisations", "initialisations"),
    "density": ("methods.scenes.gaussians.density", "density_controls"),
    "encodings": ("methods.scenes.nerf.encodings", "encodings"),
    "controls": ("metrics.controls", "controls"),
    "layouts": ("bench.imports.layouts", "layouts"),
    "engines": ("bench.engines", "engines"),
    "suites": ("metrics.suites", "suites"),
}

#: How the names of each kind are found, with a description each.
KINDS: dict[str, Callable[[], Iterator[tuple[str, str]]]] = {
    **{kind: partial(_registered, kind) for kind in REGISTRIES},
    "methods": _methods,
    "priors": _priors,
    "prompts": _prompt_sets,
    "studies": _studies,
    "keys": study_keys,
}

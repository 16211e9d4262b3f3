"""What there is to choose from, and whether this machine has what the suite needs."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Callable, Iterator
from functools import partial
from typing import get_args

from rich.console import Console
from rich.table import Column, Table
from rich.text import Text

from bench.errors import InputError
from bench.study import load_study, study_names
from metrics.suites import Role


def list_kind(kind: str, console: Console) -> None:
    """Print the names of a kind of thing, each with its first line of documentation; methods with their cards."""
    table = Table(Column("name", no_wrap=True), "what it is", title=kind, show_lines=kind == "methods")
    for name, words in KINDS[kind]():
        table.add_row(name, Text(words))  # as it stands: square brackets are no markup here
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


def run_doctor(console: Console) -> bool:
    """Print what was found of packages, hardware and weights; whether all weights are as their cards say."""
    import torch

    from bench.environment import describe_environment

    found = describe_environment(torch.device("cuda" if torch.cuda.is_available() else "cpu"))
    table = Table("what", Column("found", overflow="fold"), title="sdibench doctor")
    table.add_row("python", f"{found.python}, {found.platform}")
    table.add_row("packages", ", ".join(f"{name} {version}" for name, version in found.packages.items()))
    table.add_row("processor", f"{found.cpu}, {found.cores} cores, torch uses {found.threads} threads")
    table.add_row("memory", f"{found.memory_bytes / 2**30:.1f} GiB")
    table.add_row("GPU", found.gpu or "none; the CPU does all the work")
    code = (
        "no git checkout"
        if found.git_commit is None
        else found.git_commit[:12] + " with changes" * bool(found.git_dirty)
    )
    table.add_row("code", code)
    healthy = True
    for name, words, is_right in _check_weights():
        healthy &= is_right
        table.add_row(f"weights: {name}", words)
    console.print(table)
    return healthy


def _check_weights() -> Iterator[tuple[str, str, bool]]:
    """Whose weights, what was found, and whether that is right; weights that were never fetched are not wrong."""
    from methods.priors import prior_names, prior_sha256
    from methods.weights import WeightsError, WeightsMissingError, verified_weights
    from metrics import suites

    def of_role(suite: str, role: Role) -> str:
        return verified_weights(suites[suite].folder(role))

    checks: dict[str, Callable[[], str]] = {f"prior {name}": partial(prior_sha256, name) for name in prior_names()}
    for name in suites.names():
        for role in get_args(Role):
            checks[f"{role} of the suite {name}"] = partial(of_role, name, role)
    for name, check in checks.items():
        try:
            yield name, f"right, SHA-256 {check()[:12]}", True
        except WeightsMissingError as error:
            yield name, f"not there: {error}", "toybox" not in name  # which comes with the suite
        except WeightsError as error:
            yield name, str(error), False


def _registered(package: str, name: str) -> Iterator[tuple[str, str]]:
    registry = getattr(importlib.import_module(package), name)
    for key in registry.names():
        yield key, (inspect.getdoc(registry[key]) or "").split("\n\n")[0].replace("\n", " ")


def _methods() -> Iterator[tuple[str, str]]:
    from methods.card import card_of
    from methods.distillation import methods

    for name, words in _registered("methods.distillation", "methods"):
        card = card_of(name, methods[name])
        if card is None:
            yield name, f"{words}\nno card"
            continue
        scale = "" if card.guidance_scale is None else f"; s = {card.guidance_scale:g}"
        paper = f"paper  {card.paper.title} ({card.paper.short})"
        yield name, f"{words}\n{paper}\nw(t)   {card.weighting}\nCFG    {card.guidance}{scale}"


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
    "scenes": partial(_registered, "methods.scenes", "scenes"),
    "materials": partial(_registered, "methods.scenes", "materials"),
    "backgrounds": partial(_registered, "methods.scenes", "backgrounds"),
    "encodings": partial(_registered, "methods.scenes", "encodings"),
    "engines": partial(_registered, "bench.engines", "engines"),
}

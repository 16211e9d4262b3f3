"""The sources of the models of each suite: the table that ``sdibench fetch`` works through."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, get_args

from bench.commands.scorer_formats import FORMATS, Choose, choose_nothing
from bench.errors import InputError
from methods.paths import expand_path
from methods.priors import priors
from methods.priors.loading import hub_of
from methods.priors.pipeline.card import default_fields
from methods.priors.pipeline.folder import check_pipeline, needed_files, small_files
from methods.priors.pipeline.hub import (
    HubFolder,
    Origin,
    is_hub_name,
    origin_of,
    suite_folder,
)
from methods.registry import nearest
from methods.weights import WeightsError
from metrics.suites import Role, Suite, find_suite, is_suite_file, suites


@dataclass(frozen=True)
class Source:
    """One folder of weights: its origin, and the files that are kept of it."""

    role: str
    """Name of the folder in the suite's: ``prior``, ``clip``, ``iqa``, ``bert``, ``reward``, …"""
    origin: Callable[[], Origin]
    """The repository or folder, read on each call, since the environment may name another."""
    needed: Choose
    """The files that are fetched; raises WeightsError if one is missing."""
    first: Choose = choose_nothing
    """Small files of those that are fetched and checked before the large ones."""
    check: Callable[[Path, str], object] | None = None
    """Takes a folder with the ``first`` files; raises WeightsError if they describe something else."""
    finish: Callable[[Path], None] | None = None
    """Takes the folder with all files: writes what is loaded later, and removes what is not, before they are hashed."""
    open: Callable[[Path], object] | None = None
    """Takes the finished folder: loads the model as a run does; raises WeightsError if its weights are not those that
    its configuration describes."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """Further entries of ``card.json``, next to origin and hashes."""
    describe: Callable[[Path], Mapping[str, Any]] | None = None
    """Takes the finished folder: further entries of ``card.json`` that depend on its files."""
    variable: str = ""
    """The environment variable that names another repository; for the line of an error."""
    is_optional: bool = False
    """Whether it is fetched only if its role is named."""


def _prior(hub: HubFolder) -> Source:
    return Source(
        "prior", hub.origin, needed_files, small_files, check_pipeline, open=_open_prior, describe=default_fields,
        variable=hub.variable,
    )  # fmt: skip


def _open_prior(folder: Path) -> None:
    from methods.priors.pipeline.opening import open_pipeline  # diffusers takes seconds to import

    open_pipeline(folder)


def _scorer(suite: Suite, role: Role) -> Source:
    model, published = suite.models[role], FORMATS[suite.format(role)]
    variable = f"SDIBENCH_{suite.name}_{role}".upper().replace("-", "_")
    check, convert, opened = published.check, published.convert, published.open
    script = {"script": published.script} if published.script else {}
    return Source(
        role,
        partial(_origin, variable, model.repository, f"{suite.fetched_as or suite.name} --only {role}"),
        published.needed,
        published.first,
        check=None if check is None else lambda folder, where: check(folder, model, where),
        finish=None if convert is None else lambda folder: convert(folder, suite),
        open=None if opened is None else lambda folder: opened(folder, model),
        card={"title": model.title or model.repository, **script},
        variable=variable,
        is_optional=model.optional,
    )


def _origin(variable: str, repository: str, command: str) -> Origin:
    """The repository that the environment names, or ``repository``.

    Raises:
        WeightsError: If the environment names something else.
    """
    setting = os.environ.get(variable) or repository
    if expand_path(setting).is_dir():
        raise WeightsError(
            f"{variable} = {setting!r}: is a folder, and must be a repository; run: sdibench fetch {command} "
            f"--from {setting}"
        )
    if not is_hub_name(setting):
        raise WeightsError(f"{variable} = {setting!r}: is not a repository (owner/name or owner/name@revision)")
    return origin_of(setting)


def sources_of(name: str, only: Collection[str] = ()) -> list[tuple[Source, Path]]:
    """List the sources of a suite by its name or file, or of a prior by the name of its repository, and their folders.

    Those that are optional are left out unless ``only`` names them.

    Raises:
        InputError: If there is no such suite, nothing of it is fetched, or it has no such role.
        SuiteError: If the file is missing or wrong.
    """
    suite = _suite(name)
    hub = None if is_suite_file(name) else hub_of(name)
    if suite is None and hub is None:
        fetched = [each for each in suites.names() if any(model.repository for model in suites[each].models.values())]
        names = {*fetched, *(each for each in priors.names() if priors[each].hub is not None)}
        raise InputError(f"unknown suite or prior {name!r}: {nearest(name, names)}, or a repository as owner/name")
    found = [] if hub is None else [_prior(hub)]
    if suite is not None:
        roles = [role for role in get_args(Role) if role in suite.models]  # what another is converted with comes first
        found += [_scorer(suite, role) for role in roles if suite.models[role].repository]
    if not found:
        raise InputError(f"{name}: nothing of this suite is fetched, its models are local folders")
    known = [source.role for source in found]
    for role in only:
        if role not in known:
            raise InputError(f"unknown role {role!r} in {name}: {nearest(role, known)}")
    home = suite_folder(suite.name if suite is not None else name)
    chosen = [source for source in found if (source.role in only if only else not source.is_optional)]
    return [(source, home / source.role) for source in chosen]


def optional_roles(name: str) -> list[str]:
    """The roles of a suite that are fetched only if they are named."""
    suite = _suite(name)
    return [] if suite is None else [role for role, model in suite.models.items() if model.optional]


def _suite(name: str) -> Suite | None:
    return find_suite(name) if is_suite_file(name) or name in suites else None

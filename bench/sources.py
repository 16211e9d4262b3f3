"""Where the models of each suite are downloaded from: the table that ``sdibench fetch`` works through."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from bench.errors import InputError, nearest
from methods.priors.pipeline_folder import check_pipeline, needed_files, small_files
from methods.priors.stable_diffusion import CARD_FIELDS, Origin, fetched_folder, is_hub_name, origin_of

#: From the paths of all files of a repository, and its name for an error's line, to the paths that are wanted.
Choose = Callable[[Collection[str], str], list[str]]


def _nothing(names: Collection[str], where: str) -> list[str]:
    return []


@dataclass(frozen=True)
class Source:
    """One folder of weights: where it comes from, and what of it is kept."""

    role: str
    """Name of the folder in the suite's: ``prior``, ``clip``, ``iqa``, ``reward``."""
    origin: Callable[[], Origin]
    """The repository or folder, read when it is asked for, since the environment may name another."""
    needed: Choose
    """The files that are fetched; raises WeightsError where one is lacking."""
    first: Choose = _nothing
    """Small files of those that are fetched and checked before the large ones."""
    check: Callable[[Path, str], object] | None = None
    """Given a folder with the ``first`` files; raises WeightsError where they describe something else."""
    finish: Callable[[Path], None] | None = None
    """Given the folder with all files: writes what is loaded later, and removes what is not, before they are hashed."""
    card: Mapping[str, Any] = field(default_factory=dict)
    """What ``card.json`` says beside origin and hashes."""


def _prior(name: str) -> Source:
    return Source("prior", partial(origin_of, name), needed_files, small_files, check_pipeline, card=CARD_FIELDS)


#: The sources of each suite.  A further suite or scorer is a further entry.
SOURCES: dict[str, tuple[Source, ...]] = {
    "sd21": (_prior("sd21"),),
}


def sources_of(name: str, only: Collection[str] = ()) -> list[tuple[Source, Path]]:
    """What to fetch for a suite, or for a prior by the name of its repository, and into which folders.

    Raises:
        InputError: If there is no such suite, or it has no such role.
    """
    if name not in SOURCES and not is_hub_name(name):
        raise InputError(f"unknown suite {name!r}: {nearest(name, SOURCES)}, or a repository as owner/name")
    found = SOURCES.get(name) or (_prior(name),)
    roles = [source.role for source in found]
    for role in only:
        if role not in roles:
            raise InputError(f"unknown role {role!r} in {name}: {nearest(role, roles)}")
    home = fetched_folder(name).parent
    return [(source, home / source.role) for source in found if not only or source.role in only]

"""Paths in a study file: relative to the file's folder, and absolute once it is read, so that they hold anywhere."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.errors import InputError
from bench.study.settings import RENDERS, is_imported, named_table
from methods.inputs import PLACES
from methods.paths import expand_path

#: The name of a study, whose run is at ``runs/NAME``.
_STUDY = re.compile(r"[A-Za-z0-9_-]+([.][A-Za-z0-9_-]+)*")


def with_whole_paths(fields: dict[str, Any], file: Path) -> dict[str, Any]:
    """The fields of a study file with the absolute paths of its prompts, scorers, prior and what its scenes start from.

    Values of a wrong type stay as they are; the study's validation reports them.

    Args:
        fields: Keys and values of the file.
        file: The study file.

    Raises:
        InputError: If a file or folder is not where its path leads, but would be from the current folder.
    """
    from prompts.prompt_list import PROMPT_FILES  # imported here, like the priors below: it imports torch

    found = dict(fields)
    prompts = fields.get("prompts")
    if isinstance(prompts, str) and Path(prompts).suffix.lower() in PROMPT_FILES:
        found["prompts"] = _whole(prompts, file, "prompts")
    scorers = fields.get("scorers")
    if isinstance(scorers, str) and _is_suite_file(scorers):
        found["scorers"] = _whole(scorers, file, "scorers")
    found |= _with_whole_prior(fields, file, "prior")
    if isinstance(arms := fields.get("methods"), dict):
        found["methods"] = {label: _with_whole_arm(arm, file, f"methods.{label}") for label, arm in arms.items()}
    return map_scenes(found, lambda scene, key: _with_whole_places(scene, file, key))


def whole_suite(name: str) -> str:
    """The absolute path of a suite's file that a command names; the name of a suite as it is."""
    return str(expand_path(name).absolute()) if _is_suite_file(name) else name


def map_scenes(fields: dict[str, Any], change: Callable[[Any, str], Any]) -> dict[str, Any]:
    """The fields of a study with other scene tables: its own, and those that its arms have.

    Args:
        fields: Keys and values of the study.
        change: Makes the other table from the table and its key.
    """
    found = {name: change(value, name) if name == "scene" else value for name, value in fields.items()}
    if isinstance(arms := fields.get("methods"), dict):
        found["methods"] = {label: _map_arm(arm, change, f"methods.{label}") for label, arm in arms.items()}
    return found


def without_places(scene: Any) -> Any:
    """A scene table without the places of files and runs, at any depth; where a file is decides no number."""
    if not isinstance(scene, dict):
        return scene
    return {name: without_places(value) for name, value in scene.items() if name not in PLACES}


def _map_arm(arm: Any, change: Callable[[Any, str], Any], key: str) -> Any:
    settings = arm.get("settings") if isinstance(arm, dict) else None
    if not isinstance(settings, dict) or "scene" not in settings:
        return arm
    return {**arm, "settings": {**settings, "scene": change(settings["scene"], f"{key}.settings.scene")}}


def _with_whole_places(scene: Any, file: Path, key: str) -> Any:
    """A scene table whose places of files and runs are absolute; those of a run may be the name of a study."""
    if not isinstance(scene, dict):
        return scene
    found = {name: _with_whole_places(value, file, f"{key}.{name}") for name, value in scene.items()}
    for name in PLACES & scene.keys():
        if isinstance(place := scene[name], str):
            is_study = name == "run" and _STUDY.fullmatch(place)
            found[name] = str(Path("runs", place).absolute()) if is_study else _whole(place, file, f"{key}.{name}")
    return found


def _with_whole_prior(fields: dict[str, Any], file: Path, key: str) -> dict[str, Any]:
    """The field ``prior`` with its absolute path, if there is one and it is a path."""
    table = named_table(fields.get("prior"))
    name = table.get("name") if isinstance(table, dict) else None
    if not isinstance(name, str) or not _is_path(name, file):
        return {}
    return {"prior": {**table, "name": _whole(name, file, key)}}


def _with_whole_arm(arm: Any, file: Path, key: str) -> Any:
    """The table of an arm with the absolute paths of its prior, or of its renders and the table of their prompts."""
    if isinstance(arm, dict) and isinstance(settings := arm.get("settings"), dict):
        whole_prior = _with_whole_prior(settings, file, f"{key}.settings.prior")
        return {**arm, "settings": settings | whole_prior}
    if not is_imported(arm) or not isinstance(arm[RENDERS], dict):
        return arm
    places = {name: arm[RENDERS][name] for name in ("folder", "table") if isinstance(arm[RENDERS].get(name), str)}
    whole = {name: _whole(place, file, f"{key}.{RENDERS}.{name}") for name, place in places.items()}
    return {**arm, RENDERS: {**arm[RENDERS], **whole}}


def _is_suite_file(name: str) -> bool:
    return Path(name).suffix.lower() == ".toml"  # as metrics.suites.is_suite_file, whose import takes longer


def _is_path(name: str, file: Path) -> bool:
    """Whether the name of a prior in ``file`` is a path, and neither in the registry nor on the hub."""
    if name.startswith((".", "/", "~")) or name.endswith("/"):
        return True
    if not _exists(file.parent / name) and not _exists(Path(name)):
        return False
    from methods.priors import priors  # imported here: it imports torch, and most names are no path

    return name not in priors


def _whole(name: str, file: Path, key: str) -> str:
    path = file.parent / expand_path(name)
    if not _exists(path) and _exists(Path(name)):
        raise InputError(
            f"{file}: {key} = {name!r}: a path in a study is relative to the study's folder ({file.parent.absolute()}),"
            f" not to the current one; write {os.path.relpath(name, file.parent)!r}"
        )
    # the folder without links, because ".." behind one leads elsewhere; the file under its own name
    return name if "\0" in name else str(Path(os.path.realpath(path.parent)) / path.name)


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except (OSError, ValueError):  # too long, a zero byte
        return False

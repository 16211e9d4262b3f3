"""Paths in a study file: relative to the file's folder, and absolute once it is read, so that they hold anywhere."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from bench.errors import InputError
from bench.study.settings import named_table


def with_whole_paths(fields: dict[str, Any], file: Path) -> dict[str, Any]:
    """The fields of a study file with the absolute paths of its prompts and its prior.

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
    table = named_table(fields.get("prior"))
    name = table.get("name") if isinstance(table, dict) else None
    if isinstance(name, str) and _is_path(name, file):
        found["prior"] = {**table, "name": _whole(name, file, "prior")}
    return found


def _is_path(name: str, file: Path) -> bool:
    """Whether the name of a prior in ``file`` is a path, and neither in the registry nor on the hub."""
    if name.startswith((".", "/", "~")) or name.endswith("/"):
        return True
    if not _exists(file.parent / name) and not _exists(Path(name)):
        return False
    from methods.priors import priors  # imported here: it imports torch, and most names are no path

    return name not in priors


def _whole(name: str, file: Path, key: str) -> str:
    path = file.parent / os.path.expanduser(name)  # noqa: PTH111, which does not raise for an unknown user
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

"""Read a suite of scorers from its TOML file."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any, get_args

from pydantic import ValidationError

from methods.paths import expand_path
from methods.registry import nearest
from methods.weights import WeightsError
from metrics.suites.suite import Role, ScorerModel, Suite

#: Folder of the suites that come with the package.
_HERE = Path(__file__).parent

_ROLES = get_args(Role)
_OTHERS = tuple(name for name in Suite.model_fields if name not in ("models", "fetched_as"))


class SuiteError(WeightsError):
    """A suite's file that is missing or wrong; the message is one line with the file and the key."""


def is_suite_file(name: str) -> bool:
    """Test whether a suite is named by a file."""
    return Path(name).suffix.lower() == ".toml"


def read_suite(path: Path) -> Suite:
    """Read a suite: keys for all of it, and a table for each role.

    Raises:
        SuiteError: If there is no such file, it is not TOML, or a key or a value in it is wrong.
    """
    fields = _parse(path)
    for name in fields:
        if name not in (*_ROLES, *_OTHERS):
            raise SuiteError(f"{path}: unknown key {name!r}: {nearest(name, (*_ROLES, *_OTHERS))}")
    models = {role: _with_whole_folder(fields[role], path) for role in fields if role in _ROLES}
    if not models:
        raise SuiteError(f"{path}: has no model; add a table for one of the roles {', '.join(_ROLES)}")
    own = {name: value for name, value in fields.items() if name in _OTHERS}
    shipped = path.parent == _HERE
    whole = {
        "name": path.stem,
        "note": f"of the file {path.name}",
        **own,
        "models": models,
        "fetched_as": "" if shipped else str(path),
    }
    try:
        return Suite.model_validate(whole)
    except ValidationError as error:
        raise SuiteError(f"{path}: {_explain(error)}") from error


def _parse(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise SuiteError(f"{path}: there is no such file; scorers is the name of a suite, or its TOML file") from None
    except OSError as error:
        raise SuiteError(f"{path}: cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # not TOML, not UTF-8, a number of too many digits; nested too deep
        raise SuiteError(f"{path}: is not valid TOML: {error}") from error


def _with_whole_folder(table: Any, path: Path) -> Any:
    """The table of a role with the absolute path of its folder; a wrong value stays for the validation."""
    if not isinstance(table, dict) or not isinstance(table.get("folder"), str) or "\0" in table["folder"]:
        return table
    return {**table, "folder": Path(os.path.realpath(path.parent / expand_path(table["folder"])))}


def _explain(error: ValidationError) -> str:
    problem = min(error.errors(include_url=False), key=lambda each: each["type"] != "extra_forbidden")
    path = [str(part) for part in problem["loc"] if part not in ("models", "[key]")]
    key, value = ".".join(path), problem["input"]
    more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
    if problem["type"] == "extra_forbidden":
        return f"unknown key {key!r}: {nearest(path[-1], ScorerModel.model_fields)}{more}"
    message = problem["msg"].removeprefix("Value error, ")
    if isinstance(value, dict) and problem["type"] == "value_error":  # a check of a whole table
        return f"[{key}]: {message}{more}"
    return f"{key} = {value!r}: {message[0].lower()}{message[1:]}{more}"

"""The settings that threestudio writes into the folder of a trial."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml
from pydantic import JsonValue

from bench.errors import InputError
from bench.imports.files import read_bytes, shown

#: Most bytes of ``parsed.yaml`` and of ``cmd.txt``; threestudio's have ten thousand.
_MOST_BYTES = 2**16

#: Most levels of tables in tables; threestudio's have about five.
_MOST_LEVELS = 50

#: Facts of a trial by the names that they get, and where ``parsed.yaml`` has them.
_FACTS = {
    "system": ("system_type",),
    "stage": ("system", "stage"),
    "experiment": ("name",),
    "steps": ("trainer", "max_steps"),
    "prior": ("system", "guidance", "pretrained_model_name_or_path"),
    "guidance": ("system", "guidance_type"),
    "guidance_scale": ("system", "guidance", "guidance_scale"),
    "cameras": ("data_type",),
    "test_views": ("data", "n_test_views"),
    "elevation_deg": ("data", "eval_elevation_deg"),
    "distance": ("data", "eval_camera_distance"),
    "fovy_deg": ("data", "eval_fovy_deg"),
}

#: A prompt in the arguments of ``launch.py``, which ``cmd.txt`` has without their quotes: up to the next argument.
_PROMPT = re.compile(r"(?:^|\s)system\.prompt_processor\.prompt=(.*?)(?=\s+(?:--\w|[\w.]+=)|$)", re.MULTILINE)
_SEED = re.compile(r"(?:^|\s)seed=([0-9]+)(?:\s|$)", re.MULTILINE)


class ParsedConfig:
    """The content of ``configs/parsed.yaml``, and of ``cmd.txt`` where that is missing.

    Read after ``threestudio/utils/callbacks.py`` (ConfigSnapshotCallback), ``launch.py`` and ``utils/config.py`` of
    threestudio at 28d9d80d9d00f308244adfcf3be8b17ca0cb6465.

    Args:
        trial: The folder of the trial.

    Raises:
        InputError: If a file is there and cannot be read.
        StorageError: If the file system refuses to read one.
    """

    def __init__(self, trial: Path) -> None:
        config, command = trial / "configs" / "parsed.yaml", trial / "cmd.txt"
        self.files = tuple(path for path in (config, command) if _is_own_file(path, trial))
        self._values = _read_yaml(config) if config in self.files else {}
        self._command = _read_text(command) if command in self.files else ""

    @property
    def prompt(self) -> str | None:
        """The text of the prompt; None if it is not stated."""
        value = self._at(("system", "prompt_processor", "prompt"))
        if isinstance(value, str):
            return value.strip() or None
        found = _PROMPT.search(self._command)
        return (found[1].strip() or None) if found else None

    @property
    def seed(self) -> int | None:
        """The seed; None if it is not stated."""
        value = self._at(("seed",))
        if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
            return value
        found = _SEED.search(self._command)
        return int(found[1][:18]) if found else None

    @property
    def facts(self) -> dict[str, JsonValue]:
        """The facts that are stated of the trial's making, by the names of ``_FACTS``."""
        values = {name: self._at(keys) for name, keys in _FACTS.items()}
        return {name: value for name, value in values.items() if isinstance(value, str | int | float)}

    def _at(self, keys: tuple[str, ...]) -> Any:
        value: Any = self._values
        for key in keys:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


class _Loader(yaml.SafeLoader):
    """YAML of few levels without aliases, by which a small file would become a large object."""

    _level = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.YAMLError("has an alias, which threestudio does not write")
        if self._level >= _MOST_LEVELS:
            raise yaml.YAMLError(f"has more than {_MOST_LEVELS} levels")
        self._level += 1
        node = super().compose_node(parent, index)
        self._level -= 1
        return node


def _read_yaml(path: Path) -> Mapping[str, Any]:
    try:
        values = yaml.load(_read_text(path), Loader=_Loader)  # noqa: S506, a safe loader with one restriction more
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise InputError(f"{shown(path)}: is not YAML as threestudio writes it ({shown(error):.120})") from error
    if not isinstance(values, Mapping):
        raise InputError(f"{shown(path)}: is not YAML as threestudio writes it (no table)")
    return values


def _read_text(path: Path) -> str:
    try:
        return read_bytes(path, most=_MOST_BYTES).decode()
    except UnicodeDecodeError as error:
        raise InputError(f"{shown(path)}: is not UTF-8 ({error.reason})") from error


def _is_own_file(path: Path, trial: Path) -> bool:
    """Whether something is there; a link must not lead out of the trial."""
    if not path.is_symlink() and not path.exists():
        return False
    if not path.resolve().is_relative_to(trial.resolve()):
        raise InputError(f"{shown(path)}: is a link that leads out of {shown(trial)}; copy what it leads to into it")
    return True

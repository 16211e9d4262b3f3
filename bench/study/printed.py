"""A study as TOML."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any

from bench.study.study import Study

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_LISTS = ("figures", "paper_claims")  # of tables


def study_toml(study: Study) -> str:
    """The whole study as TOML, from which a file of the same name loads the same study."""
    fields = study.model_dump(mode="json", exclude={"name", "pinned"}, exclude_none=True)
    lines = [f"# {study.name}, merged"]
    plain = {key: value for key, value in fields.items() if not isinstance(value, dict) and key not in _LISTS}
    lines += [f"{key} = {toml_value(value)}" for key, value in plain.items()]
    for key, value in fields.items():
        if isinstance(value, dict):
            lines += _table(key, value)
    for name in _LISTS:
        for table in fields[name]:
            lines += ["", f"[[{name}]]", *(f"{_key(key)} = {toml_value(value)}" for key, value in table.items())]
    return "\n".join(lines) + "\n"


def _table(name: str, table: Mapping[str, Any]) -> Iterator[str]:
    yield ""
    yield f"[{name}]"
    for key, value in table.items():
        yield f"{_key(key)} = {toml_value(value)}"


def _key(key: str) -> str:
    return key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)


def toml_value(value: Any) -> str:
    """A TOML value; texts, numbers and lists are written as in JSON, and what is not set is left out of tables."""
    if isinstance(value, dict):
        given = {key: each for key, each in value.items() if each is not None}
        return "{ " + ", ".join(f"{_key(key)} = {toml_value(each)}" for key, each in given.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml_value, value)) + "]"
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")

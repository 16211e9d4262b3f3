"""Pydantic's errors about the tables of a study file, in one line."""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from methods.registry import nearest

#: The types of errors about an unknown key, of a section and of a dataclass.
_UNKNOWN = {"extra_forbidden", "unexpected_keyword_argument"}

#: Tables of which the name alone may stand, as text.
_CHOSEN_BY_NAME = {"prior", "scene"}

#: Keys and numbers of places in lists, from the whole file down to a value.
_Path = tuple[int | str, ...]


def explain(error: ValidationError, fields: Mapping[str, Any], model: type[BaseModel], hidden: Collection[str]) -> str:
    """Describe the most informative mistake in one line, and the number of the others; all missing keys are one.

    Args:
        error: The errors of the fields.
        fields: The keys and values that were validated.
        model: The section that they are the keys of.
        hidden: Fields of it that are no keys of a file.
    """
    problems = error.errors(include_url=False)
    # a misspelt key is also a missing one, and is more informative as the former
    problem = min(problems, key=lambda each: each["type"] not in _UNKNOWN)
    others = _count_mistakes(problems, fields) - 1
    line = _explain(problem, fields, model, hidden)
    if _is_missing_key(problem):
        *keys, last = [repr(".".join(map(str, each["loc"]))) for each in problems if _is_missing_key(each)]
        others -= len(keys)
        line = f"the keys {', '.join(keys)} and {last} are missing" if keys else line
    return line + (f" (and {others} more)" if others else "")


def keys_of(model: type[BaseModel], hidden: Collection[str], path: Sequence[str] = ()) -> list[str]:
    """The keys of a section, or of the table at a path below it, without the ``hidden`` ones of the section."""
    table: Any = model
    for part in path:  # a number is the place in a list of tables
        table = get_args(table)[0] if part.isdigit() else table.model_fields[part].annotation
    if dataclasses.is_dataclass(table):
        return [field.name for field in dataclasses.fields(table)]
    return [name for name in table.model_fields if table is not model or name not in hidden]


def _explain(problem: ErrorDetails, fields: Mapping[str, Any], model: type[BaseModel], hidden: Collection[str]) -> str:
    path = [str(part) for part in problem["loc"]]
    key = ".".join(path)
    match problem["type"]:
        case "extra_forbidden" | "unexpected_keyword_argument":
            return f"unknown key {key!r}: {nearest(path[-1], keys_of(model, hidden, path[:-1]))}"
        case "missing" if _is_missing_key(problem):
            return f"the key {key!r} is missing"
        case "value_error" if isinstance(problem["input"], dict):  # a check of a whole table, which names its key
            return ".".join([*path, str(problem["ctx"]["error"])])
        case "string_pattern_mismatch":  # of a name, since no other key has a pattern
            return _explain_name(path, str(problem["input"]), problem["ctx"]["pattern"])
    if problem["type"] == "missing":  # of a list with a fixed number of values
        path = path[:-1]
    place = ".".join(map(str, _place(problem, fields))) or ".".join(path)
    return f"{place} = {problem['input']!r}: {_right(problem)}"


def _is_missing_key(problem: ErrorDetails) -> bool:
    """Whether a table lacks a key; a list that is too short has the same type of error."""
    return problem["type"] == "missing" and not isinstance(problem["loc"][-1], int)


def _right(problem: ErrorDetails) -> str:
    """Say what a value must be."""
    match problem["type"]:
        case "missing":
            return f"must have at least {int(problem['loc'][-1]) + 1} values"
        case "too_short":
            least = problem["ctx"]["min_length"]
            return f"must have at least {least} value{'s' * (least > 1)}"
        case "tuple_type" | "list_type":
            return "must be a list"
        case "dict_type" | "model_type" if _CHOSEN_BY_NAME.intersection(problem["loc"][-1:]):
            return "must be a name, or a table with the key name"
        case "dict_type" | "model_type" | "dataclass_type":
            return "must be a table"
    message = problem["msg"].removeprefix("Value error, ")
    return f"{message[0].lower()}{message[1:]}"


def _explain_name(path: Sequence[str], name: str, pattern: str) -> str:
    any_case = "A-Z" in pattern
    plain = "-".join(re.findall("[A-Za-z0-9]+", name if any_case else name.lower())) or "my-name"
    rule = (
        "letters and digits, joined by single - . or _" if any_case else "small letters and digits, joined by single -"
    )
    where = ".".join(part for part in path if part not in ("[key]", name))
    must = f"must be {rule}, such as {plain!r}"
    if path[-1] == "[key]":
        return f"{where}: the label {name!r} {must}"
    return f"{where} = {name!r}: {must}{'; rename the file' if where == 'name' else ''}"


def _count_mistakes(problems: Sequence[ErrorDetails], fields: Mapping[str, Any]) -> int:
    """Count mistakes: one can be several errors of pydantic."""
    unknown = [problem["loc"] for problem in problems if problem["type"] in _UNKNOWN]
    places = {_place(problem, fields) for problem in problems if problem["type"] != "missing"}
    # without its wrong entries a list may also be too short
    of_entries = {place[:length] for place in places for length in range(len(place))}
    short = {problem["loc"] for problem in problems if problem["type"] == "too_short"} & of_entries
    missing = {problem["loc"] for problem in problems if problem["type"] == "missing"}
    for loc in unknown:  # a misspelt key is missing too
        right = [str(each[-1]) for each in missing if each[:-1] == loc[:-1]]
        for name in difflib.get_close_matches(str(loc[-1]), right, n=1):
            missing.discard((*loc[:-1], name))
    return len(places - short) + len(missing)


def _place(problem: ErrorDetails, fields: Mapping[str, Any]) -> _Path:
    """The path of the value that an error is about; pydantic's also has the members of a union, an error each."""
    loc = problem["loc"]
    value: Any = fields
    for length, part in enumerate(loc):
        is_there = isinstance(value, Mapping) and part in value
        is_there |= isinstance(value, list | tuple) and isinstance(part, int) and part < len(value)
        if not is_there:
            return loc if problem["type"] in _UNKNOWN else loc[:length]
        value = value[part]
    return loc

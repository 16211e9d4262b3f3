"""Docstrings as a user reads them."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re
import textwrap
from itertools import pairwise

_ROLE = re.compile(r":[a-z:]+:`~?([^`]*)`")


def plain(words: str) -> str:
    """A text without the marks of reStructuredText."""
    return _ROLE.sub(r"\1", words).replace("``", "")


def field_docs(thing: type) -> dict[str, str]:
    """The docstring behind each field of a dataclass and of its bases, in one line."""
    found: dict[str, str] = {}
    for parent in reversed([each for each in thing.__mro__ if dataclasses.is_dataclass(each)]):
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(parent))).body
        body = definition.body if isinstance(definition, ast.ClassDef) else []
        for statement, after in pairwise(body):
            if not isinstance(statement, ast.AnnAssign) or not isinstance(statement.target, ast.Name):
                continue
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                found[statement.target.id] = " ".join(str(after.value.value).split())
    return found

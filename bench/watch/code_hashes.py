"""Hashes of the code of methods and metrics, by which results of an edited one are found.

They are no part of a cell's identity: a comment that is added is no reason to optimise anything again.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from methods import contracts
from methods.contracts import Component


@cache  # once per process: a file that is edited during a run is not the code that runs
def class_sha256(kind: type) -> str | None:
    """SHA-256 of the file with a class; None without a file, such as for one of an interactive session."""
    try:
        return hashlib.sha256(Path(inspect.getfile(kind)).read_bytes()).hexdigest()
    except (TypeError, OSError):
        return None


def method_sha256(method: Component) -> str | None:
    """SHA-256 of the files with the classes of a method and its parts, and those with the bases of these.

    What these files import from others is not looked at.

    Returns:
        The hash; None if one of them has no file.
    """
    hashes = {class_sha256(kind) for part in _with_parts(method) for kind in type(part).__mro__ if _is_own(kind)}
    found = {each for each in hashes if each is not None}
    if found != hashes:
        return None
    return hashlib.sha256("".join(sorted(found)).encode()).hexdigest()


def _with_parts(component: Component) -> Iterator[Component]:
    yield component
    for part in component.parts().values():
        yield from _with_parts(part)


def _is_own(kind: type) -> bool:
    return issubclass(kind, Component) and kind.__module__ != contracts.__name__

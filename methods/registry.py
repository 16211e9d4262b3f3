"""Names for things that other people can add: methods, strategies, metrics, encodings, engines.

A module registers what it defines with a decorator; another installed package does the same through an
entry point of the group ``sdibench.<kind>``.  Two things under one name are an error, because a table
whose ``sdi`` silently came from another package could not be trusted.

A registry with a ``base`` is also found by that type: a setting whose annotation is the base of a registry is a part
chosen by name, ``{ name = "…", … }`` in a study.
"""

from __future__ import annotations

import difflib
import importlib
import pkgutil
import traceback
from collections.abc import Callable, Iterable
from functools import partial
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_BY_BASE: dict[Any, Registry[Any]] = {}


class UnknownNameError(LookupError):
    """A name that nothing is registered under; the message is one line with the most similar known names."""


class RegistrationError(ValueError):
    """A thing that cannot be registered, such as that of another package; the message is one line."""


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of an error message about an unknown name: the nearest right names, or all of them.

    >>> nearest("stesp", ["steps", "views"])
    'did you mean steps?'
    >>> nearest("x", ["steps", "views"])
    'known: steps, views'
    """
    known = sorted(known)
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.6)
    return f"did you mean {', '.join(near)}?" if near else f"known: {', '.join(known) or 'none'}"


class Registry(Generic[T]):
    """The things of one kind, by name.

    Args:
        kind: Their kind in the singular, for error messages and the entry-point group (``"method"``).
        packages: Packages whose modules are imported at the first look-up, so that a new file in the
            folder is enough to add a thing.
        base: The type that all of them share, for settings that are annotated with it.  They are then frozen
            dataclasses, whose fields are their settings.
    """

    def __init__(self, kind: str, *packages: str, base: type | None = None) -> None:
        self.kind = kind
        self._has_settings = base is not None
        if base is not None:
            _BY_BASE[base] = self
        self._packages = packages
        self._found: dict[str, T] = {}
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Register the decorated thing under ``name``.

        Raises:
            RegistrationError: If another thing has the name already, or the things have settings and this one is no
                frozen dataclass.
        """

        def keep(thing: T) -> T:
            if self._has_settings and not _is_frozen_dataclass(thing):
                raise RegistrationError(
                    f"{self.kind} {name!r}: {_origin(thing)} must be a frozen dataclass, or its fields would be no "
                    "settings; write @dataclass(frozen=True) between the line that registers it and the class"
                )
            known = self._found.setdefault(name, thing)
            if known is not thing and _origin(known) != _origin(thing):
                raise RegistrationError(
                    f"{self.kind} {name!r} is registered twice: {_origin(known)} and {_origin(thing)}"
                )
            return thing

        return keep

    def __getitem__(self, name: str) -> T:
        """The thing registered under ``name``.

        Raises:
            UnknownNameError: If there is none.
        """
        self._load()
        try:
            return self._found[name]
        except KeyError:
            raise UnknownNameError(f"unknown {self.kind} {name!r}: {nearest(name, self.names())}") from None

    def __contains__(self, name: str) -> bool:
        self._load()
        return name in self._found

    def name_of(self, thing: T) -> str:
        """The name ``thing`` is registered under.

        Raises:
            UnknownNameError: If it is not registered.
        """
        self._load()
        for name, known in self._found.items():
            if known is thing:
                return name
        raise UnknownNameError(f"{_origin(thing)} is not a registered {self.kind}")

    def names(self) -> list[str]:
        """All names, sorted."""
        self._load()
        return sorted(self._found)

    def _load(self) -> None:
        if self._loaded:
            return
        self._loaded = True  # before the imports: a module may look up another name while it is imported
        try:
            self._import_all()
        except RegistrationError:
            self._loaded = False
            raise

    def _import_all(self) -> None:
        for package_name in self._packages:
            package = importlib.import_module(package_name)
            for module in pkgutil.iter_modules(package.__path__):
                name = f"{package_name}.{module.name}"
                self._guarded(name, partial(importlib.import_module, name))
        for entry in entry_points(group=f"sdibench.{self.kind.replace(' ', '_')}"):
            what = f"the entry point {entry.name} = {entry.value}"
            thing = self._guarded(what, entry.load)
            if isinstance(thing, ModuleType):
                raise RegistrationError(f"{self.kind}: {what}: must name what is in the module: {entry.value}:NAME")
            self.register(entry.name)(thing)

    def _guarded(self, what: str, load: Callable[[], Any]) -> Any:
        """Load what may be someone else's code; what it raises is one line with its place."""
        try:
            return load()
        except RegistrationError:
            raise
        except Exception as error:
            frame = traceback.extract_tb(error.__traceback__)[-1]
            is_syntax = isinstance(error, SyntaxError)  # its text has the place
            place = "" if is_syntax else f" ({Path(frame.filename).name}, line {frame.lineno})"
            text = " ".join(str(error).split())
            raise RegistrationError(
                f"{self.kind}: {what} cannot be imported: {type(error).__name__}: {text}{place}"
            ) from error


def registry_of(annotation: Any) -> Registry[Any] | None:
    """The registry with the base ``annotation``, from which such a setting is chosen; None if there is none."""
    return _BY_BASE.get(annotation)


def _is_frozen_dataclass(thing: object) -> bool:
    """Whether a class is one itself: the fields that it adds to those of a dataclass are no settings otherwise."""
    parameters = vars(thing).get("__dataclass_params__") if isinstance(thing, type) else None
    return parameters is not None and parameters.frozen


def _origin(thing: object) -> str:
    return f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', repr(thing))}"

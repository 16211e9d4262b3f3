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
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType
from typing import Any, Generic, TypeVar

T = TypeVar("T")

_BY_BASE: dict[Any, Registry[Any]] = {}

#: Beginning of the groups of entry points by which other packages add things.
_GROUPS = "sdibench."


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
        self._package_of: dict[str, str | None] = {}  # by name; None for what comes with the suite
        self._package: str | None = None  # the one whose entry point is being loaded
        self._loaded = False

    def register(self, name: str) -> Callable[[T], T]:
        """Register the decorated thing under ``name``.

        Raises:
            RegistrationError: If another thing has the name already, or the things have settings and this one is no
                frozen dataclass.
        """

        def keep(thing: T) -> T:
            self._check(name, thing)
            known = self._found.setdefault(name, thing)
            package = self._package_of.setdefault(name, self._package)
            if known is not thing and _origin(known) != _origin(thing):
                pair = ((known, package), (thing, self._package))
                both = " and ".join(_origin(each) + (f" of the package {of}" if of else "") for each, of in pair)
                raise RegistrationError(f"{self.kind} {name!r} is registered twice: {both}; uninstall or rename one")
            return thing

        return keep

    def _check(self, name: str, thing: T) -> None:
        """Raise a RegistrationError if ``thing`` is none of the kind."""
        if self._has_settings and not _is_frozen_dataclass(thing):
            raise RegistrationError(
                f"{self.kind} {name!r}: {_origin(thing)} must be a frozen dataclass, or its fields would be no "
                "settings; write @dataclass(frozen=True) between the line that registers it and the class"
            )

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

    @property
    def group(self) -> str:
        """The group of entry points by which other packages add such things."""
        return f"{_GROUPS}{self.kind.replace(' ', '_')}"

    def plug_ins(self) -> Iterator[tuple[EntryPoint, RegistrationError | None]]:
        """Load each entry point of the group, and yield it with the reason why it cannot be used, None if it can.

        Raises:
            RegistrationError: If one of the suite's own modules cannot be imported.
        """
        self._import_own()
        for entry in entry_points(group=self.group):
            try:
                self._add(entry)
            except RegistrationError as error:
                yield entry, error
            else:
                yield entry, None

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
        self._import_own()
        for entry in entry_points(group=self.group):
            self._add(entry)

    def _import_own(self) -> None:
        for package_name in self._packages:
            package = importlib.import_module(package_name)
            for module in pkgutil.iter_modules(package.__path__):
                name = f"{package_name}.{module.name}"
                self._guarded(name, partial(importlib.import_module, name))

    def _add(self, entry: EntryPoint) -> None:
        """Register what the entry point of another package names; an error names the package to be rid of."""
        self._package = package_of(entry)
        try:
            self.register(entry.name)(self._thing_of(entry))
        except RegistrationError as error:
            if self._package is None or " the package " in str(error):
                raise
            raise RegistrationError(f"{error}; mend or uninstall the package {self._package}") from error
        finally:
            self._package = None

    def _thing_of(self, entry: EntryPoint) -> Any:
        what = f"the entry point {entry.name} = {entry.value}"
        thing = self._guarded(what, entry.load)
        if isinstance(thing, ModuleType):
            raise RegistrationError(f"{self.kind}: {what}: must name what is in the module: {entry.value}:NAME")
        return thing

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


def plug_in_groups() -> list[str]:
    """The groups of entry points that are named like the suite's, of all installed packages; loads nothing."""
    return sorted(group for group in entry_points().groups if group.startswith(_GROUPS))


def package_of(entry: EntryPoint) -> str | None:
    """The name and version of the installed package that an entry point is of; None if it is of none."""
    return None if entry.dist is None else f"{entry.dist.name} {entry.dist.version}"


def _is_frozen_dataclass(thing: object) -> bool:
    """Whether a class is one itself: the fields that it adds to those of a dataclass are no settings otherwise."""
    parameters = vars(thing).get("__dataclass_params__") if isinstance(thing, type) else None
    return parameters is not None and parameters.frozen


def _origin(thing: object) -> str:
    return f"{getattr(thing, '__module__', '?')}.{getattr(thing, '__qualname__', repr(thing))}"

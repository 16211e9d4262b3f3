"""The content of a folder of strangers, with a bound and in natural order."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from bench.errors import InputError
from bench.imports.files import shown
from bench.records.reading import refusals

#: Most entries of one folder.
MOST_ENTRIES = 20_000

#: Names that operating systems leave in folders.
_NOISE = {"__MACOSX", "Thumbs.db", "desktop.ini"}


@dataclass(frozen=True)
class Listing:
    """The entries of a folder in natural order, without hidden ones."""

    folder: Path
    root: Path  # resolved; no link may lead out of it
    files: tuple[Path, ...]  # all that is not a folder
    folders: tuple[Path, ...]

    def files_ending(self, endings: Iterable[str]) -> tuple[Path, ...]:
        """The files with one of the endings, in any case.

        Raises:
            InputError: If one is a folder or a link that leads out of the root.
        """
        wanted = set(endings)
        for folder in self.folders:
            if folder.suffix.lower() in wanted:
                raise InputError(f"{shown(folder)}: is a folder, right is a file with this name")
        found = tuple(path for path in self.files if path.suffix.lower() in wanted)
        for path in found:
            _require_inside(path, self.root)
        return found

    def within(self, folder: Path) -> Listing:
        """The content of a folder below this one.

        Raises:
            InputError: If there is no such folder, a link leads out of the root, or it has too many entries.
            StorageError: If the file system refuses to list it.
        """
        return _list(folder, self.root)


def list_folder(folder: Path) -> Listing:
    """The content of the folder that the user named, which is the root of all below it.

    Raises:
        InputError: If it is not a folder, or has too many entries.
        StorageError: If the file system refuses to list it.
    """
    try:
        with refusals(Path(shown(folder))):
            root = folder.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: a loop of links, until Python 3.12
        why = getattr(error, "strerror", None) or "a loop of links"
        raise InputError(f"{shown(folder)}: cannot be read ({why}); give a folder with renders") from error
    if not root.is_dir():
        raise InputError(f"{shown(folder)}: is a file, right is a folder with renders")
    return _list(folder, root)


def natural_key(path: Path) -> tuple[tuple[int, int, str], ...]:
    """The key that puts ``2.png`` before ``10.png``."""
    parts = re.split(r"([0-9]+)", path.name)
    return tuple((1, int(part), part) if index % 2 else (0, 0, part) for index, part in enumerate(parts))


def _list(folder: Path, root: Path) -> Listing:
    _require_inside(folder, root)
    files: list[Path] = []
    folders: list[Path] = []
    name = shown(folder)
    try:
        with refusals(Path(name)), os.scandir(folder) as entries:
            found = list(islice(entries, MOST_ENTRIES + 1))
            if len(found) > MOST_ENTRIES:
                raise InputError(f"{name}: has more than {MOST_ENTRIES} entries, the most that are read")
            for entry in found:
                if not entry.name.startswith(".") and entry.name not in _NOISE:
                    (folders if _is_folder(entry) else files).append(folder / entry.name)
    except OSError as error:
        raise InputError(f"{name}: cannot be listed ({error.strerror}); give a folder with renders") from error
    return Listing(folder, root, tuple(sorted(files, key=natural_key)), tuple(sorted(folders, key=natural_key)))


def _is_folder(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a folder; where that cannot be found out, reading it as a file gives the reason."""
    try:
        return entry.is_dir()
    except OSError:
        return False


def _require_inside(path: Path, root: Path) -> None:
    if not path.is_symlink():
        return
    try:
        is_inside = path.resolve().is_relative_to(root)
    except (OSError, RuntimeError):  # a loop of links leads nowhere
        is_inside = False
    if not is_inside:
        raise InputError(f"{shown(path)}: is a link that leads out of {shown(root)}; copy what it leads to into it")

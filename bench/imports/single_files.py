"""Folders with one file for each object."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from bench.errors import InputError
from bench.imports.files import shown
from bench.imports.listing import Listing, list_folder


def objects_in(folder: Path, endings: Iterable[str], what: str) -> Iterator[tuple[Path, tuple[str, ...], Listing]]:
    """The files of objects: FOLDER/PROMPT.ending, or the only such file of FOLDER/PROMPT.

    Args:
        folder: The folder that the user named.
        endings: Endings of the files, in lower case.
        what: The kind of file, for messages.

    Yields:
        The file, what may name its prompt, and the listing of the folder that it is in.

    Raises:
        InputError: If there are none, or a folder has several.
        StorageError: If the file system refuses to list a folder.
    """
    endings = tuple(endings)
    here = list_folder(folder)
    count = 0
    alone = here.files_ending(endings)
    for path in alone:
        count += 1
        yield path, (path.stem, folder.resolve().name) if len(alone) == 1 else (path.stem,), here
    for below in here.folders:
        listing = here.within(below)
        files = listing.files_ending(endings)
        if len(files) > 1:
            names = ", ".join(shown(path.name) for path in files[:3])
            raise InputError(f"{shown(below)}: has {len(files)} files ({names}), right is one {what} in each folder")
        for path in files:
            count += 1
            yield path, (below.name, path.stem), listing
    if not count:
        raise InputError(
            f"{shown(folder)}: has no {what} ({', '.join(endings)}), neither in it nor in the folders below"
        )

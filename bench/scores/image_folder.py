"""Folders of images that are made whenever they are not there whole: safe to delete, and never read half."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.records.atomic import new_folder, storage_errors
from bench.records.reading import refusals

#: The last chunk of every PNG (ISO/IEC 15948, 11.2.5): no data, its name, and its checksum.
_PNG_END = b"\x00\x00\x00\x00IEND\xaeB`\x82"


def image_folder(target: Path, names: Sequence[str], make: Callable[[Path], None]) -> Path:
    """Return a folder of images, which is made if one of them is missing or cut short.

    Args:
        target: The folder.
        names: PNG files that it must hold.
        make: Writes them into the folder that it is given.

    Raises:
        StorageError: If an image cannot be read, the disk is full, or the folder cannot be written in.
    """
    if not is_whole(target, names):
        if target.exists():
            with storage_errors(target):
                shutil.rmtree(target)
        with new_folder(target) as temporary:
            make(temporary)
    return target


def is_whole(target: Path, names: Sequence[str]) -> bool:
    """Say whether a folder holds all of its images, none of them cut short.

    Raises:
        StorageError: If an image cannot be read.
    """
    return all(_is_whole_png(target / name) for name in names)


def image_names(count: int) -> list[str]:
    """Names of the colour and opacity images of ``count`` views."""
    return [f"{kind}_{index:03}.png" for kind in ("rgb", "opacity") for index in range(count)]


def _is_whole_png(path: Path) -> bool:
    """Say whether a file ends as a PNG does, without decoding it: there may be tens of thousands."""
    if not path.is_file():
        return False
    with refusals(path), path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - len(_PNG_END)))
        return file.read() == _PNG_END

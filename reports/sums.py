"""The checksums of a report's files, by which a file that is cut, changed or gone is found."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

#: A report's list of its files, in the format that ``sha256sum --check`` reads.
SUMS_FILE: Final = "sha256sums.txt"
#: Folders of a report, which are replaced when it is written again.
FOLDERS: Final = ("data", "figures", "images", "meshes", "prompts", "tables", "thumbnails", "turntables")


def list_sums(folder: Path) -> str:
    """The content of ``SUMS_FILE`` for the files that are in a folder."""
    return "".join(f"{_sha256(folder / name)}  {name}\n" for name in _names(folder))


def damaged_files(folder: Path) -> Iterator[tuple[Path, str]]:
    """Yield the files of a report that are not as they were written, each with what is wrong with it.

    Files that a user has put next to ``index.html`` are left out, and so is what cannot be read.
    """
    listed = folder / SUMS_FILE
    if _names(folder) and not listed.exists():
        yield listed, "is missing"
    try:
        lines = [line.split("  ", 1) for line in listed.read_text(encoding="utf-8", errors="replace").splitlines()]
    except OSError:
        return
    sums = {name: sha256 for sha256, name in (line for line in lines if len(line) == 2)}
    if "index.html" not in sums or not sums.keys() >= {name for name in _names(folder) if "/" in name}:
        yield listed, "does not list all files of the report"
        return
    for name, sha256 in sums.items():
        path = folder / name
        with suppress(OSError):
            if not path.is_file():
                yield path, "is missing"
            elif _sha256(path) != sha256:
                yield path, "is cut short or was changed"


def _names(folder: Path) -> list[str]:
    """Names of the files of a report below its folder, sorted."""
    inside = (path for name in FOLDERS for path in (folder / name).rglob("*") if path.is_file())
    return sorted(path.relative_to(folder).as_posix() for path in (folder / "index.html", *inside) if path.is_file())


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()

"""The files of a run that are made from its records: whether their content is what their names say."""

from __future__ import annotations

import json
import struct
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

from PIL import Image

from bench.errors import InputError, StorageError
from bench.exports.mesh_files import is_whole_glb
from bench.records.check_files import check_tensors
from bench.records.reading import require_readable
from bench.records.store import STUDY_FILE, RunStore
from bench.scores.image_folder import is_as_made, read_sums
from bench.scores.tables import TABLES, read_frame
from reports.sums import damaged_files

#: Folders of a run that are checked elsewhere (records), are kept as they were found, or hold no data.
_LEFT_OUT = {"cells", "set-aside", "claims", "logs"}

#: Folders that are replaced as a whole: by the depth below the run folder of what is made at once.
_MADE_AT_ONCE = {"controls": 3, "truth": 2, "report": 1}
_MADE_BY_FILE = {"scores", "meshes", "checkpoints"}


class Damage(NamedTuple):
    """A file that is not what its name says."""

    path: Path
    """The file."""
    line: str
    """The file, and what is wrong with it."""
    is_unreadable: bool
    """Whether the file system refuses it, so that nothing is known of its content."""


def find_damage(store: RunStore) -> Iterator[Damage]:
    """Yield the damaged files of a run outside of its records, each read to its last byte."""
    for path, why in damaged_files(store.folder / "report"):
        yield Damage(path, f"{path}: {why}; report the run again", is_unreadable=False)
    for path in sorted(store.folder.rglob("*")):
        place = path.relative_to(store.folder).parts
        if place[0] in _LEFT_OUT or any(part.startswith(".") for part in place) or not path.is_file():
            continue
        try:
            require_readable(path)
            if place[0] != "report":
                _check(path, is_table=len(place) == 1)
        except StorageError as error:
            yield Damage(path, str(error), is_unreadable=True)
        except Exception as error:  # noqa: BLE001, each reader has a dozen types of errors of its own
            why = str(error) if isinstance(error, InputError) else f"{path}: {type(error).__name__}: {error!s:.200}"
            yield Damage(path, why, is_unreadable=False)
    scored = [name for name in TABLES if (store.folder / f"{name}.parquet").is_file()]
    for name in ("snapshots", "controls", "metric_columns") if "scores" in scored else ():
        if name not in scored:
            path = store.folder / f"{name}.parquet"
            yield Damage(path, f"{path}: is missing; score the run again", is_unreadable=False)


def made_with(path: Path, store: RunStore) -> Path | None:
    """The file or folder to set aside so that a damaged file is made again; None for one that nothing makes again."""
    place = path.relative_to(store.folder).parts
    if place[0] in _MADE_AT_ONCE:
        return store.folder.joinpath(*place[: _MADE_AT_ONCE[place[0]]])
    is_derived = place[0] in _MADE_BY_FILE or (len(place) == 1 and path.suffix == ".parquet")
    return path if is_derived and path.exists() else None


def _check(path: Path, *, is_table: bool) -> None:
    if is_table and path.suffix == ".parquet" and path.stem in TABLES:
        read_frame(path, TABLES[path.stem])
    elif path.name != STUDY_FILE:
        _CHECKS.get(path.suffix, _check_nothing)(path)


def _check_nothing(_path: Path) -> None:
    """A file of a kind that nothing here writes."""


def _check_image(path: Path) -> None:
    with Image.open(path) as image:
        image.load()
    sums = read_sums(path.parent)
    if sums is not None and not is_as_made(path, sums):
        raise InputError(f"{path}: was changed; score the run again")


def _check_json(path: Path) -> None:
    json.loads(path.read_bytes())


def _check_toml(path: Path) -> None:
    tomllib.loads(path.read_text(encoding="utf-8"))


def _check_mesh(path: Path) -> None:
    if not is_whole_glb(path):
        raise InputError(f"{path}: is not a whole GLB file; report the run again")
    content = path.read_bytes()
    (length,) = struct.unpack_from("<I", content, 12)
    json.loads(content[20 : 20 + length])


_CHECKS: dict[str, Callable[[Path], None]] = {
    ".png": _check_image,
    ".safetensors": check_tensors,
    ".json": _check_json,
    ".toml": _check_toml,
    ".glb": _check_mesh,
}

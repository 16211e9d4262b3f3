"""Folders of model weights, each with a card that has a hash for every file.

Every folder of weights has a ``card.json`` in addition to the files: a description of the model, how it was made, its
scores on held-out data, and the SHA-256 of each file.  The combined hash is part of the identity of every cell and
score that used the model.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from methods.atomic import replace_file
from methods.paths import expand_path

if TYPE_CHECKING:  # commands that only read cards need not wait for torch
    from torch import Tensor

CARD = "card.json"

#: Of cards; one without ``format_version`` is of the first.  Raised when code of one version cannot read the others'.
FORMAT_VERSION = 1

#: Files of this size in bytes and more are hashed once, and again only if their size or times change.
_LARGE = 32 * 2**20


class WeightsError(ValueError):
    """Weights that are missing or differ from those that the card names; the message is one line."""


class WeightsMissingError(WeightsError):
    """Weights that were never fetched; the message says how to fetch them."""


def weights_home() -> Path:
    """The folder of fetched weights: the environment variable SDIBENCH_WEIGHTS, or ``~/.cache/sdi-bench``."""
    return expand_path(os.environ.get("SDIBENCH_WEIGHTS") or "~/.cache/sdi-bench")


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model folder.

    Raises:
        WeightsError: If there is none, it cannot be read, is not JSON, or is of a later version of the suite.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        why = f"has no {CARD}, so it is not a folder of weights of this suite"
        raise WeightsError(f"{folder}: {why if folder.is_dir() else 'there is no such folder'}") from None
    except OSError as error:
        raise WeightsError(f"{path}: cannot be read ({error.strerror}); make it readable (chmod a+rX)") from None
    except ValueError as error:
        raise WeightsError(f"{path}: not readable as JSON ({error}); restore it from the repository") from None
    version = card.get("format_version", FORMAT_VERSION) if isinstance(card, dict) else FORMAT_VERSION
    if not isinstance(version, int) or version > FORMAT_VERSION:
        raise WeightsError(
            f"{path}: format_version = {version!s:.40}, right is {FORMAT_VERSION}: the card is of a later "
            "version of sdi-bench; update this program (pip install --upgrade sdi-bench)"
        )
    if not isinstance(card, dict) or not isinstance(card.get("files"), dict):
        raise WeightsError(f"{path}: 'files' is missing; it must map each file to its SHA-256")
    return card


def write_card(folder: Path, **fields: Any) -> None:
    """Write ``card.json``: ``fields`` and the hash of every file in ``folder`` except images and hidden files."""
    files = {name: file_sha256(folder / name) for name in _files_of(folder)}
    _write(folder / CARD, json.dumps({**fields, "files": files}, indent=2) + "\n")
    verify_weights.cache_clear()


def write_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write a safetensors file whole, with the permissions of any other file.

    safetensors' own ``save_file`` and ``save_pretrained`` make files that only their owner may read.

    Raises:
        OSError: If the folder cannot be written in.
    """
    from safetensors.torch import save

    with replace_file(path) as temporary:
        temporary.write_bytes(save(dict(tensors)))


@lru_cache(maxsize=32)
def verify_weights(folder: Path) -> str:
    """Check every file of a model folder against its card; large files that were checked before, by size and times.

    Returns:
        One SHA-256 over all of them.

    Raises:
        WeightsError: If a file is missing or differs from the one that the card names.
    """
    return _verify(folder, known_sha256)


def reverify_weights(folder: Path) -> str:
    """Check as ``verify_weights`` does, but read every byte again."""
    verify_weights.cache_clear()
    return _verify(folder, file_sha256)


def hash_weights(folder: Path) -> str:
    """Check a model folder as ``verify_weights`` does; one without a card is hashed as it is.

    Raises:
        WeightsError: If a file is missing or differs from the one that the card names, or there is no such folder.
    """
    if (folder / CARD).exists() or not folder.is_dir():
        return verify_weights(folder)
    return combined_sha256(folder, _files_of(folder))


def combined_sha256(folder: Path, names: Iterable[str]) -> str:
    """One SHA-256 over some files of a folder that has no card.

    Raises:
        WeightsError: If a file is missing.
    """
    return _combined({name: known_sha256(_existing(folder, name, "it is needed")) for name in names})


def known_sha256(path: Path) -> str:
    """SHA-256 of a file; that of a large one is stored in ``weights_home()`` together with its size and times."""
    state = path.stat()
    if state.st_size < _LARGE:
        return file_sha256(path)
    known = weights_home() / "hashes.json"
    key, now = str(path.resolve()), [state.st_size, state.st_mtime_ns, state.st_ctime_ns]
    hashes: dict[str, Any] = {}
    with contextlib.suppress(OSError, ValueError, TypeError):  # without the stored hashes every file is hashed again
        hashes = dict(json.loads(known.read_text(encoding="utf-8")))
    entry = hashes.get(key)
    if isinstance(entry, dict) and entry.get("state") == now:
        return str(entry["sha256"])
    found = file_sha256(path)
    with contextlib.suppress(OSError):
        _write(known, json.dumps({**hashes, key: {"state": now, "sha256": found}}, indent=1) + "\n")
    return found


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _verify(folder: Path, hashed: Callable[[Path], str]) -> str:
    files = read_card(folder)["files"]
    for name, expected in sorted(files.items()):
        path = _existing(folder, name, f"{CARD} lists it")
        found = hashed(path)
        if found != expected:
            raise WeightsError(
                f"{path}: SHA-256 is {found[:12]}…, but {CARD} says {expected[:12]}…; restore the file (sdibench fetch "
                "gets those that were fetched), or train it again, which writes a new card"
            )
    return _combined(files)


def _files_of(folder: Path) -> list[str]:
    """Paths of the files that a card lists: all but the card itself, images and hidden files."""
    names = (path.relative_to(folder) for path in sorted(folder.rglob("*")) if path.is_file())
    return [
        name.as_posix()
        for name in names
        if name.name != CARD and name.suffix != ".png" and not any(part.startswith(".") for part in name.parts)
    ]


def _existing(folder: Path, name: str, why: str) -> Path:
    path = folder / name
    if not path.is_file():
        raise WeightsError(f"{path}: missing, though {why}; restore it from the repository")
    return path


def _combined(files: dict[str, str]) -> str:
    return hashlib.sha256("".join(f"{name} {found}\n" for name, found in sorted(files.items())).encode()).hexdigest()


def _write(path: Path, text: str) -> None:
    with replace_file(path) as temporary:
        temporary.write_text(text, encoding="utf-8")

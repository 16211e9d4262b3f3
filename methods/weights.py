"""Model folders that say what is in them: a card with a hash for every file.

Every folder of weights holds a ``card.json`` beside the files: what the model is, how it was made, what it
scored on held-out data, and the SHA-256 of each file.  The combined hash goes into the identity of every
cell and score that used the model.
"""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from pathlib import Path
from typing import Any

CARD = "card.json"


class WeightsError(ValueError):
    """Weights that are missing or not the ones the card names; the message is one line."""


def read_card(folder: Path) -> dict[str, Any]:
    """The card of a model folder.

    Raises:
        WeightsError: If there is none or it is not JSON.
    """
    path = folder / CARD
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise WeightsError(f"{folder}: no {CARD} there, so it is not a folder of weights of this suite") from None
    except ValueError as error:
        raise WeightsError(f"{path}: not readable as JSON ({error}); restore it from the repository") from None
    if not isinstance(card, dict) or not isinstance(card.get("files"), dict):
        raise WeightsError(f"{path}: 'files' is missing; it must map each file to its SHA-256")
    return card


def write_card(folder: Path, **fields: Any) -> None:
    """Write ``card.json`` with ``fields`` and the hash of every file in ``folder`` (pictures left out)."""
    files = {
        str(path.relative_to(folder)): file_sha256(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != CARD and path.suffix != ".png"
    }
    (folder / CARD).write_text(json.dumps({**fields, "files": files}, indent=2) + "\n", encoding="utf-8")
    verified_weights.cache_clear()


@lru_cache(maxsize=32)
def verified_weights(folder: Path) -> str:
    """Check every file of a model folder against its card.

    Returns:
        One SHA-256 over all of them.

    Raises:
        WeightsError: If a file is missing or another one than the card names.
    """
    total = hashlib.sha256()
    for name, expected in sorted(read_card(folder)["files"].items()):
        path = folder / name
        if not path.is_file():
            raise WeightsError(f"{path}: missing, though {CARD} lists it; restore it from the repository")
        found = file_sha256(path)
        if found != expected:
            raise WeightsError(
                f"{path}: SHA-256 is {found[:12]}…, but {CARD} says {expected[:12]}…; "
                "restore the file, or train it again so that its card is written anew"
            )
        total.update(f"{name} {found}\n".encode())
    return total.hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()

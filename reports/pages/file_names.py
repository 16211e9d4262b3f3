"""File names for arbitrary ids."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import Final

_PLAIN: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,59}")
#: Names that Windows reserves for devices.
_RESERVED: Final = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)")


def file_names(ids: Iterable[str]) -> dict[str, str]:
    """Return a name by id that is safe on every file system and in a URL: lower-case letters, digits, ``-`` and ``_``.

    An id that already is such a name keeps it; any other keeps its plain characters and gets a hash, so that no two
    ids share a name, also on file systems that ignore case.
    """
    return {text: _name(text) for text in ids}


def _name(text: str) -> str:
    if _PLAIN.fullmatch(text) and not _RESERVED.fullmatch(text) and "--" not in text:
        return text
    plain = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:40].strip("-")
    digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    return f"{plain}--{digest}" if plain else f"id--{digest}"  # two hyphens, which no plain id has

"""Paths as a user writes them."""

from __future__ import annotations

import os
from pathlib import Path


def expand_path(given: str | Path) -> Path:
    """The path with ``~`` replaced by the user's home; the ``~`` of an unknown user stays.

    ``Path.expanduser`` raises RuntimeError for an unknown user.
    """
    return Path(os.path.expanduser(given))  # noqa: PTH111

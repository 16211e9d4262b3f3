"""Records of earlier formats, brought to the present one as they are read; the files stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final


def _from_1(fields: dict[str, Any]) -> dict[str, Any]:
    """2 added fields that have defaults: time by part of a step, energy, attempts, snapshots, normals."""
    return fields | {"format_version": 2}


#: To the next version, by the version that a record has.
MIGRATIONS: Final[Mapping[int, Callable[[dict[str, Any]], dict[str, Any]]]] = {1: _from_1}


def migrated(fields: dict[str, Any]) -> dict[str, Any]:
    """``fields`` of ``record.json`` in the present format."""
    while (version := fields["format_version"]) in MIGRATIONS:
        fields = MIGRATIONS[version](fields)
    return fields

"""JSON: everything in the table model.

The schema, ``"format": 2``::

    format      2; raised when the meaning of a key changes (in format 1, a geometric mean had an arithmetic sd)
    name        of the table's files
    title       str
    caption     [str], sentences
    footnotes   [str], definitions of the metrics
    stub        heading of the rows' labels
    columns     [{key, title, unit, direction, kind}]
                direction: "up", "down", "target" (better) or null; kind: "figure", "p" or "words"
    cells       [str], identities of cells that the entries point into
    rows        [{label, part, entries}]; one entry for each column
    entry       {mean, sd, sd_factor, n, low, high, group, text, note, why, cells}; keys without a value are left out
                mean, sd, low, high: numbers in the column's unit, low and high the ends of the mean's interval
                sd_factor: in place of sd for a geometric mean, the SD of its logarithm as a factor (at least 1)
                n: number of prompts; group: rank group, 0 first; cells: [int], indices into the table's cells
                why: reason for what is missing

Numbers have 12 significant digits, which do not differ between machines.
"""

from __future__ import annotations

import json
import math
from typing import Any, Final

from reports.table import Entry, Table

FORMAT: Final = 2
_PARTS = ("mean", "sd", "sd_factor", "n", "low", "high", "group", "text", "note", "why")


def render(table: Table) -> str:
    """Render one JSON object with the schema above, a line per row."""
    identities = list(dict.fromkeys(cell for row in table.rows for entry in row.entries for cell in entry.cells))
    places = {cell: place for place, cell in enumerate(identities)}
    content = {
        "format": FORMAT,
        "name": table.name,
        "title": table.title,
        "caption": table.caption,
        "footnotes": list(table.footnotes),
        "stub": table.stub,
        "columns": [
            {name: getattr(column, name) for name in ("key", "title", "unit", "direction", "kind")}
            for column in table.columns
        ],
        "cells": identities,
    }
    rows = [
        {"label": row.label, "part": row.part, "entries": [_entry(entry, places) for entry in row.entries]}
        for row in table.rows
    ]
    lines = [f'"{key}": {_dump(value)}' for key, value in content.items()]
    lines.append('"rows": [\n' + ",\n".join(map(_dump, rows)) + "\n]")
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _entry(entry: Entry, places: dict[str, int]) -> dict[str, Any]:
    parts = {part: _value(getattr(entry, part)) for part in _PARTS}
    found: dict[str, Any] = {part: value for part, value in parts.items() if value not in (None, "")}
    return found | ({"cells": [places[cell] for cell in entry.cells]} if entry.cells else {})


def _value(value: Any) -> Any:
    if not isinstance(value, float):
        return value
    return float(f"{value:.12g}") if math.isfinite(value) else None

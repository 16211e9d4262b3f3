"""CSV for machines: a row for each row, and mean, SD, n, text and note of each column at full precision."""

from __future__ import annotations

import csv
import io

from reports.table import Column, Entry, Table

_PARTS = ("mean", "sd", "n", "text", "note")


def render(table: Table) -> str:
    """The table as RFC 4180 CSV with a header such as ``time mean [s]``; parts no row has are left out.

    Numbers have 12 significant digits: all that is meant, and none that differ between machines.
    """
    parts = [
        (index, part)
        for index in range(len(table.columns))
        for part in _PARTS
        if part == "mean" or any(getattr(row.entries[index], part) not in (None, "") for row in table.rows)
    ]
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow([table.stub, *(_header(table.columns[index], part) for index, part in parts)])
    for row in table.rows:
        writer.writerow([row.label, *(_value(row.entries[index], part) for index, part in parts)])
    return out.getvalue()


def _header(column: Column, part: str) -> str:
    unit = f" [{column.unit}]" if column.unit and part in ("mean", "sd") else ""
    return f"{column.key} {part}{unit}"


def _value(entry: Entry, part: str) -> str:
    value = getattr(entry, part)
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)

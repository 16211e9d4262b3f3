"""CSV: a line per row, with the parts of each entry at full precision."""

from __future__ import annotations

import csv
import io

from reports.table import Entry, Table, TableColumn

_PARTS = ("mean", "sd", "sd_factor", "n", "low", "high", "group", "text", "note")
_IN_UNIT = ("mean", "sd", "low", "high")


def render(table: Table) -> str:
    """Render RFC 4180 CSV with a header such as ``time mean [s]``; parts that no row has are left out.

    ``sd_factor`` is the SD of the logarithm of a geometric mean, as a factor, in place of ``sd``; ``low`` and ``high``
    are the ends of the mean's interval, ``group`` is the rank group, 0 first.  Numbers have 12 significant digits,
    which do not differ between machines.
    """
    parts = [
        (index, part)
        for index, column in enumerate(table.columns)
        for part in _PARTS
        if (part == "mean" and column.kind != "words")
        or any(getattr(row.entries[index], part) not in (None, "") for row in table.rows)
    ]
    parted = any(row.part for row in table.rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    header = [table.stub or "row", *(_header(table.columns[index], part) for index, part in parts)]
    writer.writerow(["part", *header] if parted else header)
    for row in table.rows:
        line = [row.label, *(_value(row.entries[index], part) for index, part in parts)]
        writer.writerow([row.part, *line] if parted else line)
    return out.getvalue()


def _header(column: TableColumn, part: str) -> str:
    unit = f" [{column.unit}]" if column.unit and part in _IN_UNIT else ""
    return f"{column.key} {part}{unit}"


def _value(entry: Entry, part: str) -> str:
    value = getattr(entry, part)
    if value is None:
        return ""
    return f"{value:.12g}" if isinstance(value, float) else str(value)

"""Text of the entries, before a format adds its own marks."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reports.table import Entry, Row, Table, TableColumn

_ARROWS = {"up": "↑", "down": "↓"}
NOTHING = "—"
_FACTOR_DECIMALS = 2


class Printed(NamedTuple):
    """An entry as pieces of text, of which at least one is not empty."""

    mean: str
    sd: str  # with its sign, ± or, for a factor, ×/÷
    interval: str  # "low, high", without brackets
    bracket: str  # n, text and note
    mark: str  # letter of the rank group; empty in a column without ranking


def printed_rows(table: Table) -> Iterator[tuple[Row, list[Printed]]]:
    """Yield each row of the table with its entries as text."""
    ranked = [any(row.entries[index].group for row in table.rows) for index in range(len(table.columns))]
    for row in table.rows:
        columns = row.columns or table.columns
        yield (
            row,
            [
                print_entry(entry, column, ranked=ranks)
                for entry, column, ranks in zip(row.entries, columns, ranked, strict=True)
            ],
        )


def print_entry(entry: Entry, column: TableColumn, *, ranked: bool = False) -> Printed:
    """Print an entry with the column's decimals; an empty one is a dash."""
    note = [entry.note] if entry.note else []
    if column.kind == "words":
        return Printed(entry.text or NOTHING, "", "", "; ".join(note), "")
    mean = _figure(entry.mean, column)
    digits = column.decimals if column.sd_decimals is None else column.sd_decimals
    sd = "" if entry.sd is None else f"± {number(entry.sd, digits)}"
    if entry.sd_factor is not None:
        sd = f"×/÷ {number(entry.sd_factor, _FACTOR_DECIMALS)}"
    bounds = [
        number(bound, column.decimals, signed=column.signed) for bound in (entry.low, entry.high) if bound is not None
    ]
    n = [] if entry.n is None else [str(entry.n)]
    text = [entry.text] if entry.text else []
    mark = letter(entry.group) if ranked and entry.group is not None else ""
    return Printed(mean or NOTHING, sd, ", ".join(bounds), "; ".join(n + text + note), mark)


def letter(group: int) -> str:
    """Return the mark of a rank group: a for the first, b for the second; after z comes aa."""
    first, last = divmod(group, 26)
    return (letter(first - 1) if first else "") + "abcdefghijklmnopqrstuvwxyz"[last]


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """Print a number with fixed decimals, a true minus sign and no negative zero."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if not text.strip("+-0."):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def heading(column: TableColumn) -> str:
    """Join title, unit and the arrow of the better direction or the target."""
    return " ".join(part for part in (column.title, column.unit, arrow(column)) if part)


def arrow(column: TableColumn) -> str:
    """Return the arrow of the better direction, or the target; empty without a direction."""
    return f"→ {column.target:g}" if column.target is not None else _ARROWS.get(column.direction or "", "")


def better(column: TableColumn) -> str:
    """Say which values of the column are better."""
    if column.target is not None:
        return f"{column.target:g} is best"
    return {"up": "higher is better", "down": "lower is better"}.get(column.direction or "", "no direction is better")


def _figure(value: float | None, column: TableColumn) -> str:
    if value is None:
        return ""
    if column.kind == "p" and 0 < value < 10.0**-column.decimals:
        return f"<{10.0**-column.decimals:.{column.decimals}f}"
    return number(value, column.decimals, signed=column.signed)

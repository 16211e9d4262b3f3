"""How one entry is printed, before a format adds its own marks."""

from __future__ import annotations

from typing import NamedTuple

from reports.table import Column, Entry

ARROWS = {"up": "↑", "down": "↓", None: ""}
NOTHING = "—"


class Printed(NamedTuple):
    """An entry as three pieces of text, each of which may be empty (but not all)."""

    mean: str
    sd: str
    bracket: str  # n, text and note


def printed(entry: Entry, column: Column) -> Printed:
    """The entry with the column's decimals; a dash where there is no figure at all."""
    mean = "" if entry.mean is None else number(entry.mean, column.decimals, signed=column.signed)
    sd = "" if entry.sd is None else number(entry.sd, column.decimals)
    n = "" if entry.n is None else str(entry.n)
    bracket = "; ".join(part for part in (n, entry.text, entry.note) if part)
    return Printed(mean or NOTHING, sd, bracket)


def number(value: float, decimals: int, *, signed: bool = False) -> str:
    """Fixed decimals with a true minus sign and no negative zero."""
    text = f"{value:{'+' if signed else ''}.{decimals}f}"
    if not text.strip("+-0."):
        text = text.lstrip("+-")
    return text.replace("-", "−")


def heading(column: Column) -> str:
    """Title, unit and arrow of the better direction."""
    return " ".join(part for part in (column.title, column.unit, ARROWS[column.direction]) if part)

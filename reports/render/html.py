"""HTML: a ``<table>`` that any page can hold, and the live one of the report's own pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from string import ascii_lowercase

from markupsafe import Markup

from reports.render.printed import ARROWS, number, printed
from reports.table import Column, Entry, Table
from reports.templates import template


@dataclass(frozen=True)
class _Figure:
    """One entry as the template prints it."""

    mean: str
    sd: str
    bracket: str
    interval: str
    why: str
    letter: str  # of the rank group, empty where there is none
    group: int  # its colour
    value: str  # what the column is sorted by
    cells: str  # places in the page's ledger

    @property
    def asked(self) -> bool:
        """Whether there is more to say of it than is printed."""
        return bool(self.interval or self.why or self.cells)


def render(table: Table) -> Markup:
    """The table as an HTML fragment, already escaped, with everything that is known printed openly."""
    return _rendered(table, None)


def live(table: Table, places: Callable[[Iterable[str]], str]) -> Markup:
    """The table for a page with ``tables.js``: sortable, with intervals and cells on demand.

    Args:
        table: What is shown.
        places: Where cells are in the page's list of cells.
    """
    return _rendered(table, places)


def _rendered(table: Table, places: Callable[[Iterable[str]], str] | None) -> Markup:
    rows = [
        (row.label, [_figure(*pair, places) for pair in zip(row.entries, table.columns, strict=True)])
        for row in table.rows
    ]
    return Markup(  # noqa: S704, the template escapes what it prints
        template("table.html.j2").render(table=table, rows=rows, arrows=ARROWS, live=places is not None)
    )


def _figure(entry: Entry, column: Column, places: Callable[[Iterable[str]], str] | None) -> _Figure:
    text = printed(entry, column)
    return _Figure(
        mean=text.mean,
        sd=text.sd,
        bracket=text.bracket,
        interval=_interval(entry, column),
        why=entry.why,
        letter="" if entry.group is None else _letter(entry.group),
        group=0 if entry.group is None else min(entry.group, 5),
        value="" if entry.mean is None else f"{entry.mean:.12g}",
        cells="" if places is None else places(entry.cells),
    )


def _interval(entry: Entry, column: Column) -> str:
    if entry.low is None or entry.high is None:
        return ""
    ends = (number(end, column.decimals, signed=column.signed) for end in (entry.low, entry.high))
    return f"[{', '.join(ends)}]"


def _letter(group: int) -> str:
    """The letters of a group: a to z, then aa, ab and so on."""
    more, last = divmod(group, len(ascii_lowercase))
    return (_letter(more - 1) if more else "") + ascii_lowercase[last]

"""HTML: a ``<table>`` that any page can hold, and the live one of the report's own pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from reports.render.printed import Printed, arrow, better, printed_rows
from reports.table import Column, Entry, Table
from reports.templates import template


@dataclass(frozen=True)
class _Figure:
    """One entry as the template prints it."""

    text: Printed
    interval: str
    why: str
    words: bool  # whether it is a text, set to the left
    group: int  # colour of its rank group
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

    Its footnotes are left out: the page shows the metrics' cards once for all tables.

    Args:
        table: What is shown.
        places: Where cells are in the page's list of cells.
    """
    return _rendered(table, places)


def _rendered(table: Table, places: Callable[[Iterable[str]], str] | None) -> Markup:
    rows = []
    for row, texts in printed_rows(table):
        parts = zip(texts, row.entries, table.columns, strict=True)
        rows.append((row, [_figure(text, entry, column, places) for text, entry, column in parts]))
    return Markup(  # noqa: S704, the template escapes what it prints
        template("table.html.j2").render(
            table=table,
            parts=[(part, list(own)) for part, own in groupby(rows, lambda row: row[0].part)],
            arrow=arrow,
            better=better,
            live=places is not None,
        )
    )


def _figure(text: Printed, entry: Entry, column: Column, places: Callable[[Iterable[str]], str] | None) -> _Figure:
    return _Figure(
        text=text,
        interval=f"[{text.interval}]" if text.interval else "",
        why=entry.why,
        words=column.kind == "words",
        group=0 if entry.group is None else min(entry.group, 5),
        value="" if entry.mean is None else f"{entry.mean:.12g}",
        cells="" if places is None else places(entry.cells),
    )

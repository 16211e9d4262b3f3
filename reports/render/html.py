"""HTML: a ``<table>`` for any page, and an interactive one for the report's own pages."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import groupby

from markupsafe import Markup

from reports.render.printed import Printed, arrow, better, printed_rows
from reports.statistics.constants import LEVEL_TEXT
from reports.table import Entry, Table, TableColumn
from reports.templates import template


@dataclass(frozen=True)
class _Figure:
    """One entry as the template prints it."""

    text: Printed
    interval: str
    why: str
    words: bool  # whether it is a text, aligned to the left
    group: int  # rank group, for its colour
    value: str  # number by which the column is sorted
    cells: str  # indices in the page's list of cells
    has_all: bool  # whether its number of prompts goes without saying

    @property
    def asked(self) -> bool:
        """Whether it has details that are not printed."""
        return bool(self.interval or self.why or self.cells)


def render(table: Table) -> Markup:
    """Render the table as an escaped HTML fragment, with all details printed."""
    return _render(table, None)


def live(table: Table, places: Callable[[Iterable[str]], str]) -> Markup:
    """Render the table for a page with ``tables.js``: sortable, with intervals and cells on demand.

    Footnotes are left out, because the page shows the metrics' cards.

    Args:
        table: The table.
        places: Function that returns the indices of cells in the page's list.
    """
    return _render(table, places)


def _render(table: Table, places: Callable[[Iterable[str]], str] | None) -> Markup:
    most = max((entry.n for row in table.rows for entry in row.entries if entry.n is not None), default=0)
    rows = []
    for row, texts in printed_rows(table):
        parts = zip(texts, row.entries, table.columns, strict=True)
        rows.append((row, [_figure(text, entry, column, places, most) for text, entry, column in parts]))
    return Markup(  # noqa: S704, the template escapes what it prints
        template("table.html.j2").render(
            table=table,
            parts=[(part, list(own)) for part, own in groupby(rows, lambda row: row[0].part)],
            arrow=arrow,
            better=better,
            level=LEVEL_TEXT,
            live=places is not None,
        )
    )


def _figure(
    text: Printed, entry: Entry, column: TableColumn, places: Callable[[Iterable[str]], str] | None, most: int
) -> _Figure:
    return _Figure(
        text=text,
        interval=f"[{text.interval}]" if text.interval else "",
        why=entry.why,
        words=column.kind == "words",
        group=0 if entry.group is None else min(entry.group, 5),
        value="" if entry.mean is None else f"{entry.mean:.12g}",
        cells="" if places is None else places(entry.cells),
        has_all=places is not None and text.bracket == str(most),
    )

"""HTML: a ``<table>`` fragment that any page can hold."""

from __future__ import annotations

from functools import partial
from itertools import groupby
from typing import Any

from markupsafe import Markup

from reports.render.printed import ARROWS, printed_rows
from reports.table import Table
from reports.templates import template


def render(table: Table, *, footnotes: bool = False) -> Markup:
    """The table as an HTML fragment, already escaped.

    Args:
        table: What to render.
        footnotes: Whether its footnotes stand below; a page that shows the metrics' cards elsewhere needs none.
    """
    rows = [
        (
            row,
            [(text, entry, column.kind) for text, entry, column in zip(texts, row.entries, table.columns, strict=True)],
        )
        for row, texts in printed_rows(table)
    ]
    parts: list[tuple[str, list[Any]]] = [(part, list(own)) for part, own in groupby(rows, lambda row: row[0].part)]
    shown = table.footnotes if footnotes else ()
    return Markup(template("table.html.j2").render(table=table, parts=parts, arrows=ARROWS, footnotes=shown))  # noqa: S704, the template escapes what it prints


#: The fragment as a file of its own.
render_alone = partial(render, footnotes=True)

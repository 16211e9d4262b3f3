"""HTML: a ``<table>`` fragment that any page can hold."""

from __future__ import annotations

from markupsafe import Markup

from reports.render.printed import ARROWS, printed
from reports.table import Table
from reports.templates import template


def render(table: Table) -> Markup:
    """The table as an HTML fragment, already escaped."""
    rows = [
        (row.label, [printed(*pair) for pair in zip(row.entries, table.columns, strict=True)]) for row in table.rows
    ]
    return Markup(template("table.html.j2").render(table=table, rows=rows, arrows=ARROWS))  # noqa: S704, the template escapes what it prints

"""Formats of a table, each a function from the table model to text that ends in a newline."""

from collections.abc import Callable, Mapping
from typing import Final

from reports.render import csv, html, json, latex, markdown
from reports.table import Table

#: Renderers by file suffix.
FORMATS: Final[Mapping[str, Callable[[Table], str]]] = {
    "md": markdown.render,
    "csv": csv.render,
    "tex": latex.render,
    "html": html.render,
    "json": json.render,
}

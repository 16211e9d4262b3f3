"""The best methods of a table, by its rank groups."""

from __future__ import annotations

from collections.abc import Iterator

from reports.render.printed import heading
from reports.table import Table


def best_methods(table: Table) -> Iterator[tuple[str, str]]:
    """Yield the heading of each column with rank groups, and the methods of its first group."""
    for index, column in enumerate(table.columns):
        groups = {row.label: row.entries[index].group for row in table.rows}
        ranked = [label for label, group in groups.items() if group is not None]
        first = [label for label in ranked if groups[label] == 0]
        if len(ranked) < 2 or not first:
            continue
        alike = "no method can be distinguished from the best"
        yield heading(column), alike if len(first) == len(ranked) else ", ".join(first)

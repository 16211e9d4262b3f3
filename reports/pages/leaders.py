"""Who leads in a table, as far as its rank groups can tell."""

from __future__ import annotations

from collections.abc import Iterator

from reports.render.printed import heading
from reports.table import Table


def leaders(table: Table) -> Iterator[tuple[str, str]]:
    """For each column with rank groups its heading, and the methods that nothing is measurably better than."""
    for index, column in enumerate(table.columns):
        groups = {row.label: row.entries[index].group for row in table.rows}
        ranked = [label for label, group in groups.items() if group is not None]
        first = [label for label in ranked if groups[label] == 0]
        if len(ranked) < 2 or not first:
            continue
        yield heading(column), "no method can be told from the best" if len(first) == len(ranked) else ", ".join(first)

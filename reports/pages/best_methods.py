"""The best methods of a table, by its rank groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from reports.render.printed import heading
from reports.table import Table

#: By how many names the list of the others must be shorter: "all but" must be read twice.
_FEWER: Final = 4


def best_methods(table: Table) -> Iterator[tuple[str, str]]:
    """Yield the heading of each column with rank groups, and the methods of its first group."""
    for index, column in enumerate(table.columns):
        groups = {row.label: row.entries[index].group for row in table.rows}
        ranked = [label for label, group in groups.items() if group is not None]
        first = [label for label in ranked if groups[label] == 0]
        if len(ranked) < 2 or not first:
            continue
        yield heading(column), _said(first, [label for label in ranked if label not in first])


def _said(best: list[str], others: list[str]) -> str:
    """The shorter way to name the best: their names, or those of the others."""
    if not others:
        return "no method can be distinguished from the best"
    return f"all but {', '.join(others)}" if len(best) > len(others) + _FEWER else ", ".join(best)

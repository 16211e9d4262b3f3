"""A table for a terminal: the columns that fit, the best of each in bold."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from reports.render.printed import NOTHING, heading, printed
from reports.table import Column, Row, Table

#: Width of the label's column and of what a column takes besides its text.
_LABEL, _BORDER = 14, 3


def print_table(table: Table, console: Console) -> None:
    """Print the figures of a table, without its controls, as wide as the console.

    Columns that do not fit are named below; the files have them.

    Args:
        table: The table; intervals and controls are left to its files.
        console: Its width is not exceeded.
    """
    rows = [row for row in table.rows if not row.part]
    best = {column.key: best_rows(rows, index, column) for index, column in enumerate(table.columns)}
    shown = RichTable(title=Text(table.title), title_justify="left")
    shown.add_column(table.stub)
    left = console.width - _LABEL - _BORDER
    dropped: list[str] = []
    for index, column in enumerate(table.columns):
        texts = [_text(row, index, column) for row in rows]
        title = heading(column)
        needed = max(map(len, [*title.split(), *texts])) + _BORDER
        if needed > left or dropped:
            dropped.append(column.title)
        else:
            left -= needed
            shown.add_column(Text(title), justify="right", max_width=needed - _BORDER)
    kept = len(table.columns) - len(dropped)
    for row in rows:
        cells = [
            Text(_text(row, index, column), style="bold" if row.label in best[column.key] else "")
            for index, column in enumerate(table.columns[:kept])
        ]
        shown.add_row(Text(row.label), *cells)
    console.print(shown)
    if dropped:
        console.print(Text(f"not shown here: {', '.join(dropped)}"))


def best_rows(rows: Sequence[Row], index: int, column: Column) -> set[str]:
    """Labels of the rows with the best mean of a column; none where neither direction is better, or all are alike."""
    means = {row.label: row.entries[index].mean for row in rows}
    known = {label: mean for label, mean in means.items() if mean is not None}
    if column.direction is None or len(set(known.values())) < 2:
        return set()
    if column.target is not None:
        merits = {label: -abs(mean - column.target) for label, mean in known.items()}
    else:
        merits = {label: mean if column.direction == "up" else -mean for label, mean in known.items()}
    top = max(merits.values())
    return {label for label, merit in merits.items() if merit == top}


def _text(row: Row, index: int, column: Column) -> str:
    entry = printed(row.entries[index], column)
    figure = f"{entry.mean} ± {entry.sd}" if entry.sd else entry.mean
    return row.entries[index].text if figure == NOTHING and row.entries[index].text else figure

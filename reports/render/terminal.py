"""A table for a terminal: as many columns side by side as fit, the rest below, and the best of each in bold."""

from __future__ import annotations

from collections.abc import Sequence

from rich.box import SIMPLE_HEAD
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table as RichTable
from rich.text import Text

from reports.render.printed import NOTHING, arrow, print_entry
from reports.statistics import octaves_off
from reports.table import Row, Table, TableColumn

#: Spaces between a column and the one before it.
_PADDING = 2


def print_table(table: Table, console: Console, *, whole: bool = False) -> None:
    """Print the numbers of a table in blocks that are not wider than the console.

    Captions are in the table's files, and so are numbers of prompts, but where others have more.  Text is never read as
    markup.

    Args:
        table: The table.
        console: The terminal, or a file.
        whole: Whether rows below a heading of their own, such as controls, are printed too, and the interval and the
            verdict next to a mean without a standard deviation, such as a difference.
    """
    rows = [row for row in table.rows if whole or not row.part]
    texts = (table.stub, *(text for row in rows for text in (row.part, row.label)))
    labels, most = max(map(cell_len, texts)), _most_prompts(rows)
    width = min(labels, console.width // 2)
    console.print(Text(table.title, style="bold"))
    for place, block in enumerate(_blocks(table, rows, most, console.width - width, whole=whole)):
        shown = RichTable(box=SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0), pad_edge=False)
        shown.add_column(Text(table.stub), max_width=width, overflow="fold")
        for index in block:
            shown.add_column(Text(_heading(table.columns[index])), justify="right", overflow="fold")
        plain = [row for row in rows if not row.part]
        best = {index: best_rows(plain, index, table.columns[index]) for index in block}
        part = ""
        for row in rows:
            if row.part != part:
                part = row.part
                shown.add_section()
                shown.add_row(Text(part, style="italic"), *("" for _ in block))
            styles = ["bold" if not row.part and row.label in best[index] else "" for index in block]
            numbers = [_number(row, index, table.columns[index], most, whole=whole) for index in block]
            cells = [Text(number, style=style) for number, style in zip(numbers, styles, strict=True)]
            shown.add_row(Text(row.label), *cells)
        if place:
            console.print()
        console.print(shown)


def best_rows(rows: Sequence[Row], index: int, column: TableColumn) -> set[str]:
    """Return the labels of the rows with the best mean of a column, of those in its first rank group if it has groups.

    None without a direction, if all are equal, or if they are means over different numbers of prompts without a group.
    """
    ranked = [row for row in rows if row.entries[index].group is not None]
    rows = [row for row in ranked if row.entries[index].group == 0] or rows
    means = {row.label: row.entries[index].mean for row in rows}
    known = {label: mean for label, mean in means.items() if mean is not None}
    counts = {row.entries[index].n for row in rows if row.label in known}
    if column.direction is None or (not ranked and (len(set(known.values())) < 2 or len(counts) > 1)):
        return set()
    if column.target is not None and column.is_ratio:
        merits = {label: -float(octaves_off(mean, target=column.target)) for label, mean in known.items()}
    elif column.target is not None:
        merits = {label: -abs(mean - column.target) for label, mean in known.items()}
    else:
        merits = {label: mean if column.direction == "up" else -mean for label, mean in known.items()}
    top = max(merits.values())
    return {label for label, merit in merits.items() if merit == top}


def _blocks(table: Table, rows: Sequence[Row], most: int, width: int, *, whole: bool) -> list[list[int]]:
    """Distribute the columns over blocks of at most ``width``; a block has at least one column."""
    blocks: list[list[int]] = []
    left = 0
    for index, column in enumerate(table.columns):
        texts = (*_heading(column).splitlines(), *(_number(row, index, column, most, whole=whole) for row in rows))
        needed = max(map(cell_len, texts)) + _PADDING
        if not blocks or needed > left:
            blocks.append([])
            left = width
        blocks[-1].append(index)
        left -= needed
    return blocks


def _heading(column: TableColumn) -> str:
    """Write the title on one line, unit and direction on the next."""
    return f"{column.title}\n{' '.join(filter(None, (column.unit, arrow(column))))}"


def _most_prompts(rows: Sequence[Row]) -> int:
    """The largest number of prompts behind a mean."""
    return max((entry.n or 0 for row in rows for entry in row.entries), default=0)


def _number(row: Row, index: int, column: TableColumn, most: int, *, whole: bool) -> str:
    """Print an entry, with its number of prompts where others have more, and what stands for an SD if ``whole``."""
    entry = row.entries[index]
    printed = print_entry(entry, row.columns[index] if row.columns else column)
    if printed.mean == NOTHING:
        return entry.text or NOTHING
    number = f"{printed.mean} {printed.sd}" if printed.sd else printed.mean
    bracket = [str(entry.n)] if entry.n is not None and entry.n < most else []
    if whole and entry.mean is not None and not printed.sd:
        number += f" [{printed.interval}]" if printed.interval else ""
        bracket += [entry.text] if entry.text else []
    return f"{number} ({'; '.join(bracket)})" if bracket else number

"""The cuts of a table that is too high for one page of a paper, since a float is never broken over pages.

Heights are estimates for LaTeX's class ``article`` with its own margins; the pages of most papers are larger.
They err on the high side: a cut too many costs a caption, one too few loses the end of the table.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Final

from reports.render.printed import Printed, heading
from reports.table import Row, Table

#: A row with its entries as text.
PrintedRow = tuple[Row, list[Printed]]

_PAGE: Final = 530.0  # points, as all heights
_LINE: Final = 12.0
_RULES: Final = 8.0  # around a heading
_TEXT_WIDTHS: Final = (345.0, 470.0)  # of a page with one column of text, and with two
_CHARACTER: Final = 4.4
_GAP: Final = 12.0  # between two columns
_FOOTNOTE_SCALE: Final = 0.8


def pieces(table: Table, rows: Sequence[PrintedRow]) -> list[list[PrintedRow]]:
    """Distribute the rows over pages: a part of the table stays whole if it fits on one.

    Only rows are distributed, not the caption and the footnotes: a caption that leaves no room for the first rows, and
    footnotes that are higher than a page, run off it.

    Returns:
        The rows of each piece.  The caption is counted for the first and the footnotes for the last, which has no rows
        if these need its page.
    """
    scale = _scale(table, rows)
    head = scale * (_LINE + 2 * _RULES)
    room = _PAGE - head - _height(f"{table.title}. {' '.join(table.caption)}")
    found: list[list[PrintedRow]] = [[]]
    for part in _parts(rows, scale, _PAGE - head - _LINE):
        needed = sum(_row_height(row, scale) for row in part) + scale * (_LINE + _RULES) * bool(part[0][0].part)
        if needed > room and found[-1]:
            found.append([])
            room = _PAGE - head - _LINE
        found[-1] += part
        room -= needed
    notes = _FOOTNOTE_SCALE**2 * sum(_height(footnote) + _RULES for footnote in table.footnotes)
    return [*found, []] if notes > room and found[-1] else found


def _parts(rows: Sequence[PrintedRow], scale: float, page: float) -> Iterator[list[PrintedRow]]:
    """Yield what must stay together: the rows of a part, or single ones of a part that is higher than a page."""
    for _, of_part in groupby(rows, lambda row: row[0].part):
        own = list(of_part)
        whole = own[0][0].part and sum(_row_height(row, scale) for row in own) < page - scale * (_LINE + _RULES)
        yield from [own] if whole else [[row] for row in own]


def _row_height(row: PrintedRow, scale: float) -> float:
    return scale * _LINE * (2 if any(entry.sd and entry.interval for entry in row[1]) else 1)


def _height(text: str) -> float:
    """Return the height of a paragraph on the narrower page."""
    return _LINE * (1 + len(text) * _CHARACTER // _TEXT_WIDTHS[0])


def _scale(table: Table, rows: Sequence[PrintedRow]) -> float:
    """Return by how much the table is shrunk to the width of the wider page: at most 1."""
    widest = [max([len(table.stub), *(len(row.label) for row, _ in rows)])]
    for place, column in enumerate(table.columns):
        widest.append(max([len(heading(column)), *(_length(entries[place]) for _, entries in rows)]))
    return min(1.0, _TEXT_WIDTHS[1] / sum(_CHARACTER * width + _GAP for width in widest))


def _length(entry: Printed) -> int:
    """Count the characters of an entry that are on one line; a bracket is smaller."""
    return len(entry.mean) + len(entry.sd or entry.interval) + round(0.7 * len(entry.bracket))

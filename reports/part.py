"""A part of a table: some of its rows and columns, as a paper has it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from reports.frames import ReportError
from reports.table import Entry, Row, Sentence, Table


def part_of(table: Table, *, rows: Sequence[str] = (), columns: Sequence[str] = (), means_only: bool = False) -> Table:
    """Choose rows and columns of a table, in the order in which they are named.

    Args:
        table: The whole table.
        rows: Labels of the rows; without any, all of them.
        columns: Keys of the columns; without any, all of them.
        means_only: Leave out standard deviations, intervals, rank groups and numbers of prompts.

    Returns:
        The part.  Sentences about what is left out are left out.

    Raises:
        ReportError: If there is no such row or column.
    """
    labels, keys = [row.label for row in table.rows], [column.key for column in table.columns]
    _check(table, "row", rows, labels)
    _check(table, "column", columns, keys)
    places = [keys.index(key) for key in dict.fromkeys(columns or keys)]
    chosen = [row for label in dict.fromkeys(rows) for row in table.rows if row.label == label] or table.rows
    shown = [keys[place] for place in places]
    caption = tuple(
        each for each in table.caption if _is_of(each, keys, shown) and not (means_only and _of_spread(each))
    )
    if means_only and not any(map(_of_spread, table.caption)):
        caption = (*caption, "Of each entry only the mean is shown.")
    return replace(
        table,
        caption=caption,
        columns=tuple(table.columns[place] for place in places),
        footnotes=tuple(each for each in table.footnotes if _is_of(each, keys, shown)),
        rows=tuple(_part_of_row(row, places, means_only=means_only) for row in _by_part(chosen)),
    )


def _check(table: Table, kind: str, names: Iterable[str], known: Sequence[str]) -> None:
    for name in names:
        if name not in known:
            raise ReportError(f"table {table.name}: has no {kind} {name!r}; it has {', '.join(dict.fromkeys(known))}")


def _is_of(sentence: str, keys: Sequence[str], chosen: Sequence[str]) -> bool:
    """Whether it is about a chosen column, or about none of the table's: about all of it, or some of its rows."""
    own = set(sentence.keys) if isinstance(sentence, Sentence) else set()
    return own.isdisjoint(keys) or not own.isdisjoint(chosen)


def _of_spread(sentence: str) -> bool:
    return isinstance(sentence, Sentence) and sentence.is_of_spread


def _by_part(rows: Sequence[Row]) -> list[Row]:
    """The rows with those of one part of the table next to each other, in the order of the first of each."""
    parts = list(dict.fromkeys(row.part for row in rows))
    return sorted(rows, key=lambda row: parts.index(row.part))


def _part_of_row(row: Row, places: Sequence[int], *, means_only: bool) -> Row:
    entries = [row.entries[place] for place in places]
    if means_only:
        entries = [_mean_of(entry) for entry in entries]
    own = tuple(row.columns[place] for place in places) if row.columns else ()
    return replace(row, entries=tuple(entries), columns=own)


def _mean_of(entry: Entry) -> Entry:
    """The mean alone; an entry without one keeps its text."""
    return Entry(mean=entry.mean, text=entry.text if entry.mean is None else "", cells=entry.cells)

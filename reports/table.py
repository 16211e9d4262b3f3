"""A table before any format: what stands where, with numbers still numbers.  ``reports.render`` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

#: Which values are better: the greater, the smaller, or those near to the column's target.
Direction = Literal["up", "down", "target"]
#: ``p``: a p-value, which is never 0 and is not printed as if it were; ``words``: entries of text without a figure.
Kind = Literal["figure", "p", "words"]


@dataclass(frozen=True)
class Column:
    """One column of numbers."""

    key: str  # name for machines, unique in the table
    title: str  # heading for people
    unit: str = ""  # of the mean and the SD
    direction: Direction | None = None  # which way is better; None where neither is
    decimals: int = 2  # digits printed after the point
    signed: bool = False  # print + before positive means (differences)
    kind: Kind = "figure"
    sd_decimals: int | None = None  # digits of the SD, where not those of the mean
    target: float | None = None  # the best value, for the direction target


@dataclass(frozen=True)
class Entry:
    """What one row has in one column; every part may be missing.

    Args:
        mean: In the column's unit.
        sd: Standard deviation, in the column's unit; None where it is not defined (n < 2).
        n: Number of independent things (prompts) behind the mean.
        text: A figure that is not one number, such as the count ``1/4``.
        note: A remark that must not be overlooked.
        low: Lower end of the mean's 95 % interval, in the column's unit; None where the data cannot tell.
        high: Its upper end.
        why: Why there is no interval, or what else a reader who asks should know; shown on demand only.
        group: Rank group of the mean within its column: 0 for the best and all that cannot be told from it; None
            where there are no groups.
        cells: Identities of the cells that the figure is made of.
    """

    mean: float | None = None
    sd: float | None = None
    n: int | None = None
    text: str = ""
    note: str = ""
    low: float | None = None
    high: float | None = None
    why: str = ""
    group: int | None = None
    cells: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A label and one entry for each column of the table.

    Args:
        label: What the row is of.
        entries: One for each column.
        part: Heading of the part of the table that the row belongs to, such as ``Controls``; rows of a part follow
            one another.
        columns: The columns as this row prints them (decimals, signs), where that differs from the table's.
    """

    label: str
    entries: tuple[Entry, ...]
    part: str = ""
    columns: tuple[Column, ...] = ()


@dataclass(frozen=True)
class Table:
    """A table with everything needed to read it alone.

    Raises:
        ValueError: If a row has not one entry for each column, two columns share a key, or a row's own columns are
            not the table's.
    """

    name: str  # file name without suffix
    title: str
    caption: tuple[str, ...]  # sentences, in order
    stub: str  # heading of the labels
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[str, ...] = ()  # definitions, to be looked up rather than read

    def __post_init__(self) -> None:
        keys = [column.key for column in self.columns]
        if len(set(keys)) != len(keys):
            raise ValueError(f"table {self.name!r}: two columns share a key")
        for row in self.rows:
            if len(row.entries) != len(self.columns):
                counts = f"{len(row.entries)} entries for {len(self.columns)} columns"
                raise ValueError(f"table {self.name!r}, row {row.label!r}: {counts}")
            if row.columns and [column.key for column in row.columns] != keys:
                raise ValueError(f"table {self.name!r}, row {row.label!r}: its own columns are not the table's")

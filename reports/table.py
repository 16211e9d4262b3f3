"""The model of a table before any format, with numbers as numbers.  ``reports.render`` writes it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Self

#: Better values: higher ones, lower ones, or those closer to the column's target.
Direction = Literal["up", "down", "target"]
#: ``p``: a p-value, which is never printed as 0; ``words``: text without a number.
Kind = Literal["figure", "p", "words"]


@dataclass(frozen=True)
class TableColumn:
    """One column of numbers."""

    key: str  # name in files, unique in the table
    title: str  # heading
    unit: str = ""  # of the mean and the SD
    direction: Direction | None = None  # better values; None if there are none
    decimals: int = 2  # digits printed after the point
    signed: bool = False  # print + before positive means (differences)
    kind: Kind = "figure"
    sd_decimals: int | None = None  # digits of the SD, if they differ from the mean's
    target: float | None = None  # the best value, for the direction target
    is_ratio: bool = False  # whether its means over prompts are geometric


@dataclass(frozen=True)
class Entry:
    """The content of one row in one column; every part may be missing.

    Args:
        mean: In the column's unit.
        sd: Standard deviation, in the column's unit; None if it is not defined (n < 2).
        n: Number of prompts behind the mean.
        text: Text, or a value that is not one number, such as the count ``1/4``.
        note: A remark that is printed with the value.
        low: Lower end of the mean's 95 % interval, in the column's unit; None if the data do not determine it.
        high: Its upper end.
        why: Reason for a missing interval, or a further explanation; shown on demand only.
        group: Rank group of the mean within its column: 0 for the best and all that cannot be distinguished from it;
            None if there are no groups.
        cells: Identities of the cells that the value is computed from.
        sd_factor: In place of ``sd`` for a geometric mean: the standard deviation of the logarithm as a factor, at
            least 1.
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
    sd_factor: float | None = None


@dataclass(frozen=True)
class Row:
    """A label and one entry for each column of the table.

    Args:
        label: Name of the row.
        entries: One for each column.
        part: Heading of the part of the table that the row belongs to, such as ``Controls``; rows of a part are
            adjacent.
        columns: The columns with this row's decimals and signs, if these differ from the table's.
    """

    label: str
    entries: tuple[Entry, ...]
    part: str = ""
    columns: tuple[TableColumn, ...] = ()


class Sentence(str):
    """A sentence of a caption, or a footnote, that not every part of its table needs.

    Args:
        text: The sentence.
        keys: Keys of the columns that it is about; none if it is about the whole table.
        is_of_spread: Whether it is about what stands next to the means: deviations, intervals, ranks and numbers.
    """

    __slots__ = ("is_of_spread", "keys")

    keys: tuple[str, ...]
    is_of_spread: bool

    def __new__(cls, text: str, keys: tuple[str, ...] = (), *, is_of_spread: bool = False) -> Self:
        """Make the text that also knows what it is about."""
        sentence = super().__new__(cls, text)
        sentence.keys, sentence.is_of_spread = keys, is_of_spread
        return sentence


@dataclass(frozen=True)
class Table:
    """A table with everything that is needed to read it.

    Raises:
        ValueError: If a row lacks an entry for a column, two columns share a key, or a row's own columns are
            not the table's.
    """

    name: str  # file name without suffix
    title: str
    caption: tuple[str, ...]  # sentences, in order; a :class:`Sentence` if a part of the table may not need it
    stub: str  # heading of the labels
    columns: tuple[TableColumn, ...]
    rows: tuple[Row, ...]
    footnotes: tuple[Sentence, ...] = ()  # definitions of the metrics

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

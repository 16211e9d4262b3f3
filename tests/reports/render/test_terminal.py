"""The table of the terminal: it fits, the best is bold, and text with brackets is text."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from reports.render.terminal import best_rows, print_table
from reports.table import Column, Entry, Row, Table

COLUMNS = tuple(Column(f"c{index}", f"Column {index}", "%", "up", decimals=1) for index in range(12))
TABLE = Table(
    "summary",
    "Results of [odd]",
    (),
    "Method",
    COLUMNS,
    (
        Row("sds[1]", tuple(Entry(mean=60.0 + index, sd=1.0, n=4) for index in range(12))),
        Row("sdi", tuple(Entry(mean=70.0 - index, sd=1.0, n=4) for index in range(12))),
        Row("noise", tuple(Entry(mean=99.0) for _ in range(12)), part="Controls"),
    ),
)


def written(width: int, **options: bool) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    print_table(TABLE, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_it_fits_the_terminal_and_names_what_does_not(width: int) -> None:
    text = written(width)
    assert max(map(len, text.splitlines())) <= width
    assert "sds[1]" in text
    assert "Results of [odd]" in text
    assert ("not shown here: " in text) == (width < 200)
    assert "noise" not in text  # controls are in the files


def test_the_best_of_each_column_is_bold() -> None:
    text = written(200, force_terminal=True)
    assert "\x1b[1m70.0 ± 1.0" in text
    assert "\x1b[1m60.0 ± 1.0" not in text


def test_the_best_is_what_the_direction_says() -> None:
    rows = [Row("a", (Entry(mean=1.0),)), Row("b", (Entry(mean=3.0),)), Row("c", (Entry(),))]
    assert best_rows(rows, 0, Column("x", "x", direction="up")) == {"b"}
    assert best_rows(rows, 0, Column("x", "x", direction="down")) == {"a"}
    assert best_rows(rows, 0, Column("x", "x", direction="target", target=2.9)) == {"b"}
    assert best_rows(rows, 0, Column("x", "x")) == set()

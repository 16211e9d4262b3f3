"""The table of the terminal: it fits, nothing is left out, the best is bold, and text is never markup."""

from __future__ import annotations

import io

import pytest
from rich.cells import cell_len
from rich.console import Console

from reports.render.terminal import best_rows, print_table
from reports.table import Entry, Row, Table, TableColumn

COLUMNS = tuple(TableColumn(f"c{index}", f"Column {index}", "%", "up", decimals=1) for index in range(12))
TABLE = Table(
    "summary",
    "Results of [odd]",
    (),
    "Method",
    COLUMNS,
    (
        Row("[bold]sds[/bold]", tuple(Entry(mean=60.0 + index, sd=1.0, n=4) for index in range(12))),
        Row("sdi", tuple(Entry(mean=70.0 - index, sd=1.0, n=4) for index in range(12))),
        Row("noise", tuple(Entry(mean=99.0) for _ in range(12)), part="Controls"),
    ),
)


def written(width: int | None, table: Table = TABLE, **options: bool) -> str:
    console = Console(file=io.StringIO(), width=width, **options)
    print_table(table, console)
    return console.file.getvalue()  # type: ignore[attr-defined]


@pytest.mark.parametrize("width", [40, 80, 120, 200])
def test_it_fits_the_terminal_and_has_every_column(width: int) -> None:
    text = written(width)
    assert max(map(cell_len, text.splitlines())) <= width
    assert all(f"Column {index}" in text for index in range(12))
    assert text.count("60.0 ± 1.0") == 2  # of sds in the first column, of sdi in the one before the last
    assert "[bold]sds[/bold]" in text
    assert "Results of [odd]" in text
    assert "noise" not in text  # controls are in the files
    assert text.count("Method") == {40: 6, 80: 3, 120: 2, 200: 1}[width]


def test_a_pipe_gets_80_columns_without_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    text = written(None)
    assert max(map(cell_len, text.splitlines())) <= 80
    assert "\x1b" not in text


def test_long_labels_and_wide_characters_are_folded() -> None:
    rows = (Row("方法" * 40, (Entry(mean=1.0),)), Row("a-label-of-a-method-" * 9, (Entry(mean=2.0),)))
    text = written(80, Table("t", "T", (), "Method", COLUMNS[:1], rows))
    assert max(map(cell_len, text.splitlines())) <= 80
    assert text.count("方法") == 40


def test_the_best_of_each_column_is_bold() -> None:
    text = written(200, force_terminal=True)
    assert "\x1b[1m70.0 ± 1.0" in text
    assert "\x1b[1m60.0 ± 1.0" not in text


def test_the_best_is_what_the_direction_says() -> None:
    rows = [Row("a", (Entry(mean=1.0),)), Row("b", (Entry(mean=3.0),)), Row("c", (Entry(),))]
    assert best_rows(rows, 0, TableColumn("x", "x", direction="up")) == {"b"}
    assert best_rows(rows, 0, TableColumn("x", "x", direction="down")) == {"a"}
    assert best_rows(rows, 0, TableColumn("x", "x", direction="target", target=2.9)) == {"b"}
    assert best_rows(rows, 0, TableColumn("x", "x")) == set()


def test_the_best_ratio_is_the_nearest_by_factors_and_other_numbers_of_prompts_have_no_best() -> None:
    """180 % is 0.85 octaves from 100 %, and 50 % is one."""
    rows = [Row("a", (Entry(mean=50.0, n=3),)), Row("b", (Entry(mean=180.0, n=3),))]
    ratio = TableColumn("x", "x", "%", "target", target=100.0, is_ratio=True)
    assert best_rows(rows, 0, ratio) == {"b"}
    assert best_rows([*rows, Row("c", (Entry(mean=99.0, n=2),))], 0, ratio) == set()


def test_where_rank_groups_say_who_is_best_a_higher_mean_over_fewer_prompts_is_not() -> None:
    rows = [Row("a", (Entry(mean=30.0, n=10, group=1),)), Row("b", (Entry(mean=22.0, n=20, group=0),))]
    assert best_rows(rows, 0, TableColumn("x", "x", direction="up")) == {"b"}


def test_rows_with_a_heading_of_their_own_are_printed_on_demand() -> None:
    fine = (TableColumn("x", "X", direction="up", decimals=4),)
    rows = (Row("sds", (Entry(1.0),)), Row("blank", (Entry(2.0),), part="Controls", columns=fine))
    table = Table("t", "T", (), "Method", (TableColumn("x", "X", direction="up"),), rows)
    without, with_parts = (io.StringIO() for _ in range(2))
    print_table(table, Console(file=without, width=60))
    print_table(table, Console(file=with_parts, width=60), whole=True)
    assert "blank" not in without.getvalue()
    lines = [line.split() for line in with_parts.getvalue().splitlines() if line.strip()]
    assert lines[-2:] == [["Controls"], ["blank", "2.0000"]]


def test_a_mean_over_fewer_prompts_than_others_says_so() -> None:
    rows = (Row("sds", (Entry(1.0, n=3), Entry(2.0))), Row("sdi", (Entry(2.0, 0.5, n=2), Entry(3.0))))
    lines = written(80, Table("t", "T", (), "Method", COLUMNS[:2], rows)).splitlines()
    assert [line.split()[1:] for line in lines[-2:]] == [["1.0", "2.0"], ["2.0", "±", "0.5", "(2)", "3.0"]]


def test_a_difference_has_its_interval_and_verdict_on_demand() -> None:
    column = TableColumn("x", "X", signed=True, decimals=1)
    entries = (
        Entry(1.5, n=7, low=0.5, high=2.5, text="better"),
        Entry(2.0, n=1, text="cannot tell", why="1 prompt"),
        Entry(text="not comparable"),
        Entry(3.0, 0.5, n=7, low=2.5, high=3.5, text="1/4"),
    )
    rows = tuple(Row(f"m{index}", (entry,)) for index, entry in enumerate(entries))
    table = Table("differences", "T", (), "Method", (column,), rows)
    texts = []
    for whole in (False, True):
        out = io.StringIO()
        print_table(table, Console(file=out, width=60), whole=whole)
        texts.append([" ".join(line.split()[1:]) for line in out.getvalue().splitlines() if line.startswith("m")])
    assert texts[0] == ["+1.5", "+2.0 (1)", "not comparable", "+3.0 ± 0.5"]
    assert texts[1] == ["+1.5 [+0.5, +2.5] (better)", "+2.0 (1; cannot tell)", "not comparable", "+3.0 ± 0.5"]
    narrow = io.StringIO()
    print_table(table, Console(file=narrow, width=20), whole=True)
    assert max(map(cell_len, narrow.getvalue().splitlines())) <= 20

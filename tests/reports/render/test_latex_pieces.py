from __future__ import annotations

from reports.render import latex
from reports.render.latex_pieces import pieces
from reports.render.printed import printed_rows
from reports.table import Entry, Row, Sentence, Table, TableColumn

COLUMNS = (TableColumn("score", "score"),)


def _table(parts: dict[str, int], *, caption: str = "Caption.", footnotes: int = 0) -> Table:
    """A table with a number of rows in each part, and footnotes of about five lines."""
    rows = [Row(f"row {i}", (Entry(1.0, 0.5, 9),), part) for part, count in parts.items() for i in range(count)]
    notes = tuple(Sentence(f"{index} " + "note " * 80) for index in range(footnotes))
    return Table("scores", "Title", (caption,), "Method", COLUMNS, tuple(rows), notes)


def _counts(table: Table) -> list[int]:
    return [len(piece) for piece in pieces(table, list(printed_rows(table)))]


def test_a_table_that_fits_is_not_cut() -> None:
    assert _counts(_table({"": 12, "Controls": 4})) == [16]


def test_a_part_stays_whole_and_a_part_higher_than_a_page_does_not() -> None:
    assert _counts(_table({"one": 20, "two": 20, "three": 10})) == [20, 30]
    whole, *rest = _counts(_table({"one": 5, "two": 100}))
    assert whole > 5
    assert whole + sum(rest) == 105


def test_rows_without_parts_are_cut_too() -> None:
    counts = _counts(_table({"": 100}))
    assert sum(counts) == 100
    assert all(30 < count < 45 for count in counts[:-1])


def test_a_long_caption_leaves_less_room_for_rows() -> None:
    assert _counts(_table({"one": 15, "two": 15}, caption="long " * 300)) == [15, 15]


def test_footnotes_that_do_not_fit_have_a_page_of_their_own() -> None:
    assert _counts(_table({"": 30}, footnotes=6)) == [30, 0]
    assert _counts(_table({"": 10}, footnotes=6)) == [10]


def test_a_continued_table_keeps_its_number_and_has_its_label_once_and_its_footnotes_at_the_end() -> None:
    text = latex.render(_table({"one": 20, "two": 20, "three": 20}, footnotes=1))
    first, *others = text.split(r"\begin{table*}")[1:]
    assert len(others) == 2
    assert (text.count(r"\label"), text.count("0 note"), first.count(r"\label")) == (1, 1, 1)
    assert "0 note" in others[-1]
    for other in others:
        assert r"\addtocounter{table}{-1}" in other
        assert r"\caption{\textbf{Title} (continued).}" in other
    for part, piece in zip(("one", "two", "three"), (first, *others), strict=True):
        assert rf"\textit{{{part}}}" in piece

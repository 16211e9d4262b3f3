"""Every format against its golden file, on a table whose texts contain the marks of all formats."""

import csv
import io
import json
import re
from html.parser import HTMLParser

import pytest

from reports.render import FORMATS
from reports.render import json as render_json
from reports.render.printed import letter, number, print_entry, printed_rows
from reports.table import Entry, Row, Table, TableColumn
from reports.tables import Measured, Reproduction, all_tables
from reports.tables.summary import summary_table


@pytest.mark.parametrize("suffix", FORMATS)
def test_hostile_table_is_the_golden_one(golden, table, suffix):
    golden(f"reports/hostile.{suffix}", FORMATS[suffix](table))


@pytest.mark.parametrize("suffix", FORMATS)
def test_summary_is_the_golden_one(golden, make_frames, suffix):
    frames = make_frames(seeds=(0, 1), statuses={("sds", "mug"): "empty", ("sdi", "red-car"): "oom"})
    golden(
        f"reports/summary.{suffix}", FORMATS[suffix](summary_table(Measured(frames, "sds"), ["The scorers are toys."]))
    )


@pytest.mark.parametrize("suffix", FORMATS)
def test_every_kind_of_table_is_the_golden_one(golden, make_frames, suffix):
    """Eight prompts: intervals, ranks, verdicts, published figures."""
    prompts = {f"p{index}": f"object {index}" for index in range(8)}
    frames = make_frames(methods=("sds", "sdi", "ism"), prompts=prompts, views=2, statuses={("ism", "p2"): "nan"})
    wanted = Reproduction(("table1",), "sd21", "sd21")
    tables = all_tables(frames, ["The scorers are toys."], baseline="sds", reproduction=wanted)
    golden(f"reports/tables.{suffix}", "\n".join(FORMATS[suffix](table) for table in tables))


def test_csv_reads_back_as_the_numbers_it_was_made_of(table, hostile):
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](table))))
    assert [row["Method"] for row in rows] == ["sds", hostile, "[1] blank", "other digits"]
    assert [row["part"] for row in rows] == ["", "", f"Part {hostile}", f"Part {hostile}"]
    assert (float(rows[0]["divergence mean [%]"]), float(rows[0]["clip_score high"])) == (18.6046, 30.5768)
    assert (float(rows[0]["p mean"]), rows[1]["clip_score group"]) == (1e-5, "0")
    assert rows[2]["clip_score mean"] == ""
    assert rows[1]["gain note"] == hostile
    assert rows[0]["verdict text"] == "cannot tell"
    assert "verdict mean" not in rows[0]


def test_json_is_what_its_schema_says(table):
    content = json.loads(FORMATS["json"](table))
    top = {"format", "name", "title", "caption", "footnotes", "stub", "columns", "cells", "rows"}
    assert set(content) == top
    assert content["format"] == 2
    assert '``"format": 2``' in render_json.__doc__
    assert all(set(column) == {"key", "title", "unit", "direction", "kind"} for column in content["columns"])
    assert all(set(row) == {"label", "part", "entries"} for row in content["rows"])
    assert all(len(row["entries"]) == len(content["columns"]) for row in content["rows"])
    parts = {"mean", "sd", "n", "low", "high", "group", "text", "note", "why", "cells"}
    entries = [entry for row in content["rows"] for entry in row["entries"]]
    assert set().union(*entries) == parts
    assert parts | top <= set(re.findall(r"\w+", render_json.__doc__))
    assert [content["cells"][place] for place in content["rows"][1]["entries"][0]["cells"]] == ["c3", "c2"]
    assert content["rows"][2]["entries"] == [{"n": 0}, {}, {}, {}, {}]
    assert content["rows"][0]["entries"][0]["mean"] == 29.814


def test_json_has_no_number_that_is_none_and_twelve_digits():
    rows = (Row("a", (Entry(mean=float("nan"), sd=1 / 3),)),)
    content = json.loads(FORMATS["json"](Table("t", "T", (), "", (TableColumn("x", "x"),), rows)))
    assert content["rows"][0]["entries"] == [{"sd": 0.333333333333}]


def test_html_shows_hostile_text_as_text(table, hostile):
    tags, texts = [], []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)
    parser.handle_data = texts.append
    parser.feed(FORMATS["html"](table))
    assert "script" not in tags
    assert hostile in "".join(texts)


def test_markdown_has_the_same_number_of_cells_in_every_line(table):
    lines = [line for line in FORMATS["md"](table).splitlines() if line.startswith("|")]
    assert len(lines) == 7
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {7}


def test_marks_of_rank_groups_stand_only_where_something_is_ranked():
    def texts(*groups):
        rows = tuple(Row(str(group), (Entry(1.0, group=group),)) for group in groups)
        return [entries[0].mark for _, entries in printed_rows(Table("t", "T", (), "", (TableColumn("x", "x"),), rows))]

    assert texts(0, 0, None) == ["", "", ""]
    assert texts(0, 1, None) == ["a", "b", ""]
    assert [letter(group) for group in (25, 26, 27, 52)] == ["z", "aa", "ab", "ba"]


@pytest.mark.parametrize(("p", "text"), [(1e-5, "<0.0001"), (0.0001, "0.0001"), (1.0, "1.0000"), (None, "—")])
def test_p_values_are_never_printed_as_zero(p, text):
    assert print_entry(Entry(p), TableColumn("p", "p", decimals=4, kind="p")).mean == text


@pytest.mark.parametrize(
    ("value", "signed", "text"),
    [
        (-0.004, False, "0.00"),
        (-0.004, True, "0.00"),
        (0.004, True, "0.00"),
        (-1.5, False, "−1.50"),
        (1.5, True, "+1.50"),
    ],
)
def test_numbers(value, signed, text):
    assert number(value, 2, signed=signed) == text

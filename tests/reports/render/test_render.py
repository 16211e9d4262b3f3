"""Every format against its golden file, on a table whose texts hold the marks of all formats."""

import csv
import io
import re
from html.parser import HTMLParser

import pytest

from reports.render import FORMATS
from reports.render.printed import number
from reports.summary import summary_table
from reports.table import Column, Entry, Row, Table

HOSTILE = '<script>alert("1")</script> & a_b 50% $x$ #1 {y} ~ ^ \\ `c` *d* [e](f) | g'
TABLE = Table(
    name="hostile",
    title=f"Title {HOSTILE}",
    caption=("First sentence.", f"Second: {HOSTILE}."),
    stub="Method",
    columns=(
        Column("clip_score", "CLIP", direction="up"),
        Column("divergence", "Div.", "%", "down", decimals=1),
        Column("gain", HOSTILE, "dB", signed=True),
    ),
    rows=(
        Row("sds", (Entry(29.814, 2.49, 43), Entry(18.6046, text="8/43", note="1 oom"), Entry(-0.001, 0.5, 2))),
        Row(HOSTILE, (Entry(n=0), Entry(text="0/0"), Entry(1.25, n=1, note=HOSTILE))),
    ),
)


@pytest.mark.parametrize("suffix", FORMATS)
def test_hostile_table_is_the_golden_one(golden, suffix):
    golden(f"reports/hostile.{suffix}", FORMATS[suffix](TABLE))


@pytest.mark.parametrize("suffix", FORMATS)
def test_summary_is_the_golden_one(golden, make_frames, suffix):
    frames = make_frames(seeds=(0, 1), statuses={("sds", "mug"): "empty", ("sdi", "red-car"): "oom"})
    golden(f"reports/summary.{suffix}", FORMATS[suffix](summary_table(frames, ["The scorers are toys."])))


def test_csv_reads_back_as_the_numbers_it_was_made_of():
    rows = list(csv.DictReader(io.StringIO(FORMATS["csv"](TABLE))))
    assert [row["Method"] for row in rows] == ["sds", HOSTILE]
    assert float(rows[0]["divergence mean [%]"]) == 18.6046
    assert rows[1]["clip_score mean"] == ""
    assert rows[1]["gain note"] == HOSTILE


def test_html_shows_hostile_text_as_text():
    tags, texts = [], []
    parser = HTMLParser()
    parser.handle_starttag = lambda tag, attrs: tags.append(tag)
    parser.handle_data = texts.append
    parser.feed(FORMATS["html"](TABLE))
    assert "script" not in tags
    assert HOSTILE in "".join(texts)


def test_markdown_has_the_same_number_of_cells_in_every_line():
    lines = [line for line in FORMATS["md"](TABLE).splitlines() if line.startswith("|")]
    assert len(lines) == 4
    assert {len(re.findall(r"(?<!\\)\|", line)) for line in lines} == {5}


def test_latex_leaves_no_mark_of_the_data_alive():
    text = FORMATS["tex"](TABLE)
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    assert not re.search(r"(?<!\\)[%#_]", body)
    assert len(re.findall(r"(?<!\\)\{", body)) == len(re.findall(r"(?<!\\)\}", body))
    assert all(len(re.findall(r"(?<!\\)&", line)) == 3 for line in body.splitlines() if line.endswith(r" \\"))


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

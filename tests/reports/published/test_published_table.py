"""The published numbers, against sums that they must satisfy."""

from pathlib import Path

import pytest
from scipy import stats

import reports.published
from reports import ReportError
from reports.published import load_published
from reports.published.published_table import read_published
from reports.statistics import wilson_interval

NAMES = sorted(path.stem for path in Path(reports.published.__file__).parent.glob("*.toml"))


@pytest.mark.parametrize("name", NAMES)
def test_each_file_is_read_and_each_figure_has_a_source(name):
    table = load_published(name)
    assert table.name == name
    assert table.source
    assert table.url.startswith("https://")
    assert table.rows
    assert all(row.figures for row in table.rows.values())
    assert all(0 <= row.figures[key].mean * table.columns[key].scale <= 100 for row in table.rows.values()
               for key in row.figures if table.columns[key].unit == "%")  # fmt: skip


def test_files_are_those_that_the_documents_name():
    assert NAMES == ["fig11", "mv_sdi", "table1", "table2"]


def test_table_1_adds_up():
    """Totals worked out from the paper by hand: 786.9 A6000 hours; 8, 5, 10, 6, 2 and 2 of 43 diverged."""
    rows = load_published("table1").rows
    assert list(rows) == ["SDS", "SJC", "VSD", "ESD", "HiFA", "SDI"]
    hours = {name: 43 * row.figures["time"].mean / 60 for name, row in rows.items()}
    assert [round(each, 1) for each in hours.values()] == [47.3, 9.3, 239.4, 237.2, 168.4, 85.3]
    assert round(sum(hours.values()), 1) == 786.9
    assert [row.figures["divergence"].count for row in rows.values()] == [8, 5, 10, 6, 2, 2]
    assert rows["SDI"].figures["clip_score"].mean - rows["VSD"].figures["clip_score"].mean == pytest.approx(0.16)
    assert rows["SDI"].figures["clip_score"].mean - rows["SDS"].figures["clip_score"].mean == pytest.approx(3.66)


def test_what_follows_from_the_published_counts():
    table = load_published("table1")
    counts = {name: (row.figures["divergence"].count, table.prompts) for name, row in table.rows.items()}
    intervals = {name: wilson_interval(*count) for name, count in counts.items()}
    rounded = {name: (round(100 * i.low, 1), round(100 * i.high, 1)) for name, i in intervals.items()}
    assert (rounded["SDS"], rounded["VSD"], rounded["SDI"]) == ((9.7, 32.6), (13.2, 37.7), (1.3, 15.5))
    tables = {name: [[k, n - k] for k, n in (counts[name], counts["SDI"])] for name in ("SDS", "SJC", "VSD", "ESD")}
    p = {name: stats.fisher_exact(table).pvalue for name, table in tables.items()}
    assert {name: round(each, 2) for name, each in p.items()} == {"SDS": 0.09, "SJC": 0.43, "VSD": 0.03, "ESD": 0.27}


def test_figure_11_has_sdis_own_row_of_table_1():
    ten, sdi = load_published("fig11").rows["n = 10"], load_published("table1").rows["SDI"]
    assert ten.figures["quality"] == sdi.figures["quality"]
    assert ten.figures["time"] == sdi.figures["time"]


GOOD = """
title = "T"
source = "a paper"
url = "https://example.org"
prior = "sd21"
scorers = "sd21"
protocol = "none"
prompts = 43
columns = { clip = { title = "CLIP", decimals = 2 }, divergence = { title = "Div.", unit = "%", decimals = 1 } }
[rows.SDS]
labels = ["sds"]
figures = { clip = { mean = 29.81, sd = 2.49 }, divergence = { mean = 18.6, count = 8 } }
[rows.SDI]
labels = ["sdi"]
figures = {}
"""


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("prompts = 43", "prompts = 0", "prompts: Input should be greater"),
        ("mean = 29.81", "mean = 29.812", "rows.SDS.figures.clip: 29.812 has more than the column's 2 decimals"),
        ("sd = 2.49", "sd = -2.49", "rows.SDS.figures.clip.sd: Input should be greater"),
        ("count = 8", "count = 9", "rows.SDS.figures.divergence: 9 of 43 is 20.93 %, not 18.6"),
        ("count = 8", "count = 44", "rows.SDS.figures.divergence: count = 44: the table has 43 prompts"),
        ("figures = {}", "figures = { psnr = { mean = 1 } }", "rows.SDI.figures.psnr: no such column; there are clip"),
        ('["sdi"]', '["sds"]', "label 'sds' belongs to two rows"),
        ('source = "a paper"', "", "source: Field required"),
        ('title = "T"', "title = ", "is not valid TOML"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(tmp_path, old, new, message):
    path = tmp_path / "paper.toml"
    path.write_text(GOOD)
    assert read_published(path).rows["SDS"].figures["clip"].sd == 2.49
    path.write_text(GOOD.replace(old, new, 1))
    with pytest.raises(ReportError) as error:
        read_published(path)
    assert str(error.value).startswith(f"{path}: ")
    assert message in str(error.value)
    assert "\n" not in str(error.value)

"""Arms with baselines of their own: every table and figure of comparisons follows them."""

from __future__ import annotations

import pytest

from reports.baselines import Baselines
from reports.figures.standard import standard_figures
from reports.frames import ReportError
from reports.tables import Measured, all_tables
from reports.tables.differences import comparisons_table

MANY = {f"p{index}": f"object {index}" for index in range(9)}
METHODS = ("sds", "sdi", "ism", "ism-32")
OWN = {"ism-32": "ism"}


@pytest.fixture
def frames(make_frames):
    return make_frames(methods=METHODS, prompts=MANY, statuses={("ism", "p1"): "nan", ("sdi", "p2"): "nan"})


@pytest.fixture
def tables(frames):
    return {table.name: table for table in all_tables(frames, [], baseline="sds", own_baselines=OWN)}


def row_of(table, label):
    return next(row for row in table.rows if row.label == label)


def test_an_arm_is_compared_with_its_own_baseline() -> None:
    baselines = Baselines("sds", OWN)
    assert [baselines.of(method) for method in METHODS] == ["sds", "sds", "sds", "ism"]
    assert baselines.others(METHODS) == ["sdi", "ism", "ism-32"]
    assert baselines.listed == ["Baselines: ism of ism-32, and sds of the others."]
    both = Baselines("sds", OWN | {"sdi": "ism"})
    assert both.listed == ["Baselines: ism of ism-32 and sdi, and sds of the others."]
    assert Baselines("sds").listed == []


@pytest.mark.parametrize("name", ["differences", "comparisons"])
def test_differences_are_those_to_the_own_baseline(frames, tables, name) -> None:
    table = tables[name]
    assert list(dict.fromkeys(row.label for row in table.rows)) == ["sdi", "ism", "ism-32 − ism"]
    assert "ism of ism-32" in " ".join(table.caption)
    to_ism = {each.name: each for each in all_tables(frames, [], baseline="ism")}[name]
    mine, theirs = (
        [row.entries for row in each.rows if row.label == label]
        for each, label in ((table, "ism-32 − ism"), (to_ism, "ism-32"))
    )
    for own, other in zip(mine, theirs, strict=True):
        assert [(entry.mean, entry.low, entry.n, entry.cells) for entry in own if entry.n] == [
            (entry.mean, entry.low, entry.n, entry.cells) for entry in other if entry.n
        ]
    plain = {each.name: each for each in all_tables(frames, [], baseline="sds")}[name]
    assert row_of(table, "ism").entries[0].mean == row_of(plain, "ism").entries[0].mean


def test_holm_corrects_for_all_arms_whatever_their_baselines(frames) -> None:
    rows = [row for row in comparisons_table(Measured(frames, "sds", OWN), []).rows if row.part == "PSNR dB ↑"]
    found = sorted((row.entries[2].mean, row.entries[3].mean) for row in rows)
    assert found[0][1] == pytest.approx(min(1.0, 3 * found[0][0]))


def test_costs_and_divergence_follow(frames, tables) -> None:
    seconds = frames.cells[frames.cells["status"] == "completed"].pivot(
        index="prompt_id", columns="method", values="optimise_seconds"
    )
    ratio = (seconds["ism-32"] / seconds["ism"]).dropna()
    cost = dict(zip((c.key for c in tables["cost"].columns), row_of(tables["cost"], "ism-32").entries, strict=True))
    assert cost["time_ratio"].mean == pytest.approx(float(ratio.prod() ** (1 / len(ratio))))
    assert cost["time_ratio"].n == len(ratio) == 8
    words = {column.title for column in tables["divergence"].columns}
    assert "than its baseline" in words
    p = [row_of(tables["divergence"], method).entries[1].mean for method in ("sdi", "ism-32")]
    assert p == [1.0, 1.0]  # one prompt against none


def test_divergence_is_tested_against_the_own_baseline(make_frames) -> None:
    """McNemar's p of eight prompts that ism lost and ism-32 did not, by hand; sds lost none."""
    lost = {("ism", f"p{index}"): "nan" for index in range(8)}
    frames = make_frames(methods=METHODS, prompts=MANY, views=1, statuses=lost)
    tables = {table.name: table for table in all_tables(frames, [], baseline="sds", own_baselines=OWN)}
    entries = row_of(tables["divergence"], "ism-32").entries
    assert entries[1].mean == pytest.approx(2 * 0.5**8)
    assert entries[3].text == "less often"


def test_the_figure_of_differences_follows(frames) -> None:
    from reports.figures.drawing.style import LIGHT

    drawn = {spec.name: (spec, draw) for spec, draw in standard_figures(frames, baseline="sds", own_baselines=OWN)}
    spec, draw = drawn["differences"]
    assert spec.title == "Differences to the arms' baselines"
    assert spec.caption.endswith("Baselines: ism of ism-32, and sds of the others.")
    axis = draw(LIGHT).axes[0]
    assert axis.get_xlabel() == "method − its baseline"
    (expected,) = (spec for spec, _ in standard_figures(frames, baseline="ism") if spec.name == "differences")
    assert expected.title == "Differences to ism"


def test_an_unknown_baseline_is_named(frames) -> None:
    with pytest.raises(ReportError, match="vsd"):
        all_tables(frames, [], baseline="sds", own_baselines={"ism": "vsd"})

"""A column of ratios in every table: geometric means, and distances by the logarithm."""

from __future__ import annotations

import dataclasses
import io
import json

import numpy as np
import pandas as pd
import pytest
from rich.console import Console
from scipy.stats import gmean, gstd

from reports.figures.drawing.style import LIGHT
from reports.figures.spec import FigureSpec, make_figure
from reports.frames import ReportFrames
from reports.part import part_of
from reports.render import FORMATS
from reports.render.terminal import print_table
from reports.tables.all_tables import all_tables

PROMPTS = {f"p{i}": f"prompt {i}" for i in range(8)}
#: Stored ratio of each method: half, and three times as much, to which log2 is nearer than percent points say.
LEVELS = {"sds": 0.4, "sdi": 1.9}


@pytest.fixture(scope="module")
def frames(make_frames) -> ReportFrames:
    made = make_frames(prompts=PROMPTS, controls=True, snapshots=True, views=2)
    rng = np.random.default_rng(0)
    template = made.scores[made.scores["metric"] == "clip_score"]
    spread = np.exp2(rng.normal(0, 0.3, len(template)))
    own = template.assign(metric="ratio", value=template["method"].map(LEVELS) * spread)
    controls = made.controls[made.controls["metric"] == "clip_score"].assign(metric="ratio", value=0.0)
    snapshots = made.snapshots[made.snapshots["metric"] == "clip_score"].assign(metric="ratio", value=0.5)
    row = {"metric": "ratio", "title": "Ratio", "unit": "%", "direction": "target", "target": 100.0, "decimals": 1}
    row |= {"scale": 100.0, "group": "image", "headline": True, "mean": "geometric"}
    return dataclasses.replace(
        made,
        scores=pd.concat([made.scores, own], ignore_index=True),
        controls=pd.concat([made.controls, controls], ignore_index=True),
        snapshots=pd.concat([made.snapshots, snapshots], ignore_index=True),
        metric_columns=pd.concat([made.metric_columns, pd.DataFrame([row])], ignore_index=True),
    )


def _prompt_means(frames: ReportFrames, method: str) -> np.ndarray:
    rows = frames.scores[(frames.scores["metric"] == "ratio") & (frames.scores["method"] == method)]
    return 100 * rows.groupby("prompt_id")["value"].mean().to_numpy()


@pytest.fixture(scope="module")
def tables(frames: ReportFrames) -> dict:
    return {table.name: table for table in all_tables(frames, [], baseline="sds")}


def _entries(table, key: str) -> dict:
    at = [column.key for column in table.columns].index(key)
    return {row.label: row.entries[at] for row in table.rows}


def test_the_mean_over_prompts_is_geometric_and_has_an_interval(frames: ReportFrames, tables: dict) -> None:
    found = _entries(tables["summary"], "ratio")
    for method in LEVELS:
        assert found[method].mean == pytest.approx(gmean(_prompt_means(frames, method)))
        assert found[method].low < found[method].mean < found[method].high
    assert "Ratio: geometric mean over prompts, as half and twice" in " ".join(tables["summary"].caption)


def test_the_sd_of_a_ratio_is_a_factor(frames: ReportFrames, tables: dict) -> None:
    """A range of mean ± arithmetic SD can be negative."""
    for method, entry in _entries(tables["summary"], "ratio").items():
        if method in LEVELS:
            assert entry.sd is None
            assert entry.sd_factor == pytest.approx(gstd(_prompt_means(frames, method)))
    caption = " ".join(tables["summary"].caption)
    assert "×/÷: of Ratio, the SD is that of the logarithm, as a factor" in caption
    assert "×/÷" not in " ".join(part_of(tables["summary"], means_only=True).caption)


def test_every_format_prints_the_sd_of_a_ratio_as_a_factor(tables: dict) -> None:
    table = part_of(tables["summary"], rows=["sds"], columns=["ratio", "clip_score"])
    ratio, clip = table.rows[0].entries
    factor, sd = f"{ratio.sd_factor:.2f}", f"{clip.sd:.2f}"
    console = Console(width=200, file=io.StringIO())
    print_table(table, console)
    for text in (FORMATS["md"](table), FORMATS["html"](table), console.file.getvalue()):
        assert f"×/÷ {factor}" in text
        assert f"± {sd}" in text
    assert rf"$\times$/$\div$ {factor}" in FORMATS["tex"](table)
    header, line = (row.split(",") for row in FORMATS["csv"](table).splitlines())
    assert float(line[header.index("ratio sd_factor")]) == pytest.approx(ratio.sd_factor)
    assert "ratio sd [%]" not in header
    (row,) = json.loads(FORMATS["json"](table))["rows"]
    assert [sorted({"sd", "sd_factor"} & set(entry)) for entry in row["entries"]] == [["sd_factor"], ["sd"]]


def test_a_control_without_anything_has_the_least_ratio(frames: ReportFrames, tables: dict) -> None:
    for title in frames.control_titles.values():
        assert _entries(tables["summary"], "ratio")[title].mean == pytest.approx(100 / 1024)


def test_methods_are_compared_by_the_logarithm(frames: ReportFrames, tables: dict) -> None:
    """190 % is farther from 100 % than 40 % in points, and nearer in octaves."""
    column = next(column for column in tables["differences"].columns if column.key == "ratio")
    assert (column.title, column.unit) == ("|log2(Ratio / 100)|", "")
    off = {method: np.abs(np.log2(_prompt_means(frames, method) / 100)) for method in LEVELS}
    entry = _entries(tables["differences"], "ratio")["sdi"]
    assert entry.mean == pytest.approx((off["sdi"] - off["sds"]).mean())
    assert entry.mean < 0
    assert entry.text == "better"
    rows = [row for row in tables["comparisons"].rows if row.part == "|log2(Ratio / 100)| ↓"]
    printed = {column.key: column.decimals for row in rows for column in row.columns}
    assert (printed["difference"], printed["detectable"]) == (2, 2)  # octaves, while percents have one
    groups = {method: _entries(tables["summary"], "ratio")[method].group for method in LEVELS}
    assert groups == {"sdi": 0, "sds": 1}


def test_figures_show_the_mean_of_the_table(frames: ReportFrames, tables: dict) -> None:
    expected = {method: entry.mean for method, entry in _entries(tables["summary"], "ratio").items()}
    settings = [f'{{"method": "{method}", "size": {at}}}' for at, method in enumerate(frames.cells["method"])]
    numbered = dataclasses.replace(frames, cells=frames.cells.assign(settings=settings))

    axis = make_figure(frames, FigureSpec("x", "overview", "X", metrics=("ratio",)))(LIGHT).axes[0]
    marks = [line.get_xdata()[0] for line in axis.lines if line.get_label() == "_mean"]
    np.testing.assert_allclose(marks, [expected[method] for method in LEVELS])

    axis = make_figure(frames, FigureSpec("x", "arms", "X", metrics=("ratio",)))(LIGHT).axes[0]
    np.testing.assert_allclose(axis.collections[-1].get_offsets()[:, 0], [expected[method] for method in LEVELS])

    sizes = {"sds": 1, "sdi": 2}
    by_size = [f'{{"method": "rule", "size": {sizes[method]}}}' for method in frames.cells["method"]]
    numbered = dataclasses.replace(frames, cells=frames.cells.assign(settings=by_size))
    axis = make_figure(numbered, FigureSpec("x", "sweep", "X", metrics=("ratio",), x="size"))(LIGHT).axes[0]
    line = next(line for line in axis.lines if line.get_label() == "rule")
    np.testing.assert_allclose(line.get_ydata(), [expected[method] for method in LEVELS])

    figure = make_figure(frames, FigureSpec("x", "time_to_quality", "X", metrics=("ratio",)))(LIGHT)
    ends = [line.get_ydata()[0] for line in figure.axes[0].lines if line.get_label() == "_end"]
    np.testing.assert_allclose(ends, [expected[method] for method in LEVELS])

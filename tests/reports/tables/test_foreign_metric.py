"""A metric that reports do not know is in every table, figure, file and page, whichever of its values are better."""

from __future__ import annotations

import dataclasses
import io

import numpy as np
import pandas as pd
import pytest
from rich.console import Console

from reports import FigureSpec, ReportData, ReportFrames, write_report
from reports.figures.drawing.style import LIGHT
from reports.figures.spec import KINDS, make_figure
from reports.figures.standard import STANDARD, standard_figures
from reports.render import FORMATS
from reports.render.terminal import best_rows, print_table
from reports.tables import all_tables
from reports.tables.measured import Measured
from reports.tables.ranks import rank_of_each
from reports.tables.summary import CONTROLS_PART

PROMPTS = {f"p{index}": f"prompt {index}" for index in range(8)}
#: Direction, target, and the values of two methods of which sdi is the better one.
FOREIGN = {
    "glitter": ("higher", None, {"sds": 10.0, "sdi": 30.0}),
    "haze": ("lower", None, {"sds": 30.0, "sdi": 10.0}),
    "pyiqa:chroma": ("target", 100.0, {"sds": 140.0, "sdi": 95.0}),
}
TITLES = {"glitter": "Glitter", "haze": "Haze", "pyiqa:chroma": "Chroma"}
#: Tables and figures that have no score.
WITHOUT_SCORES = {"divergence", "cost", "failures", "outcomes", "curves"}


@pytest.fixture(scope="module")
def frames(make_frames) -> ReportFrames:
    made = make_frames(prompts=PROMPTS, statuses={("sds", "p7"): "nan"}, snapshots=True, controls=True, views=2)
    rng, scores, snapshots, controls, columns = np.random.default_rng(0), [made.scores], [], [], [made.metric_columns]
    template = made.scores[made.scores["metric"] == "clip_score"]
    for name, (direction, target, levels) in FOREIGN.items():
        values = template["method"].map(levels) + rng.normal(0, 1, len(template))
        scores.append(template.assign(metric=name, value=values))
        own = made.snapshots[made.snapshots["metric"] == "clip_score"]
        snapshots.append(own.assign(metric=name))
        controls.append(made.controls[made.controls["metric"] == "clip_score"].assign(metric=name))
        row = {"metric": name, "title": TITLES[name], "unit": "%", "direction": direction, "target": target}
        row |= {"decimals": 1, "scale": 1.0, "group": "image", "headline": True, "mean": "arithmetic"}
        columns.append(pd.DataFrame([row]))
    return dataclasses.replace(
        made,
        scores=pd.concat(scores, ignore_index=True),
        snapshots=pd.concat([made.snapshots, *snapshots], ignore_index=True),
        controls=pd.concat([made.controls, *controls], ignore_index=True),
        metric_columns=pd.concat(columns, ignore_index=True),
    )


@pytest.fixture(scope="module")
def tables(frames: ReportFrames) -> dict:
    return {table.name: table for table in all_tables(frames, [], baseline="sds")}


def test_it_is_in_every_table_and_every_format(tables: dict) -> None:
    scored = set(tables) - WITHOUT_SCORES
    assert scored == {"summary", "summary-common", "summary-all-prompts", "differences", "comparisons", "robust",
                      "variance"}  # fmt: skip
    for name in scored:
        for suffix, write in FORMATS.items():
            text = write(tables[name]).lower()
            for metric, title in TITLES.items():
                assert title.lower() in text or metric in text, (name, suffix, metric)


def test_it_is_in_every_standard_figure(frames: ReportFrames) -> None:
    figures = standard_figures(frames, baseline="sds")
    assert [spec.name for spec, _ in figures] == [spec.name for spec in STANDARD if spec.name != "spectrum"]
    for spec, draw in figures:
        if spec.name not in WITHOUT_SCORES:
            titles = " ".join(axis.get_title() for axis in draw(LIGHT).axes)
            assert all(title in titles for title in TITLES.values()), spec.name


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if "metrics" in kind.options])
def test_a_study_can_ask_for_it_in_every_kind_of_figure(frames: ReportFrames, kind: str) -> None:
    spec = FigureSpec("x", kind, "X", metrics=tuple(FOREIGN), x="seed", baseline="sds")
    numbered = frames.cells.assign(settings=['{"method": "sds", "seed": 0}'] * len(frames.cells))
    figure = make_figure(dataclasses.replace(frames, cells=numbered), spec)(LIGHT)
    titles = " ".join(axis.get_title() for axis in figure.axes)
    assert all(title in titles for title in TITLES.values())


@pytest.mark.usefixtures("blank_figures")
def test_it_is_on_the_pages_of_the_study_and_of_each_prompt_and_in_the_terminal(
    frames: ReportFrames, tables: dict, tmp_path
) -> None:
    page = write_report(ReportData(frames, "T", "sds"), tmp_path / "report").page
    prompts = sorted((page.parent / "prompts").iterdir())
    assert len(prompts) == len(PROMPTS)
    console = Console(file=io.StringIO(), width=80)
    print_table(tables["summary"], console)
    for text in (page.read_text(), *(path.read_text() for path in prompts), console.file.getvalue()):
        assert all(title in text for title in TITLES.values())


@pytest.mark.parametrize("metric", FOREIGN)
def test_better_is_what_its_direction_says(frames: ReportFrames, tables: dict, metric: str) -> None:
    measured, direction = Measured(frames, "sds"), FOREIGN[metric][0]
    columns = {name: [each.key for each in table.columns] for name, table in tables.items()}
    [row] = tables["differences"].rows
    assert row.entries[columns["differences"].index(metric)].text == "better"
    summary, place = tables["summary"], columns["summary"].index(metric)
    assert rank_of_each(measured.scores(metric), summary.columns[place]) == {"sdi": 0, "sds": 1}
    assert [row.entries[place].group for row in summary.rows[:2]] == [1, 0]
    methods = [row for row in summary.rows if row.part != CONTROLS_PART]
    assert best_rows(methods, place, summary.columns[place]) == {"sdi"}
    [compared] = [row for row in tables["comparisons"].rows if TITLES[metric] in row.part]
    found = dict(zip(columns["comparisons"], compared.entries, strict=True))
    assert (found["verdict"].text, found["improvement"].mean) == ("better", 100.0)
    assert (found["difference"].mean > 0) == (direction == "higher")  # with a target: of the distance to it


@pytest.mark.parametrize("metric", FOREIGN)
def test_the_pareto_front_and_the_profiles_follow_its_direction(frames: ReportFrames, metric: str) -> None:
    def drawn(kind: str):
        return make_figure(frames, FigureSpec("x", kind, "X", metrics=(metric,)))(LIGHT).axes[0]

    axis = drawn("pareto")
    lines = {line.get_label(): line for line in axis.lines}
    best = lines["_sdi"].get_ydata()[0]
    assert lines["_front"].get_ydata()[-1] == best
    profile = {line.get_label(): line.get_ydata() for line in drawn("profiles").lines}
    assert (np.asarray(profile["_sdi"]) >= np.asarray(profile["_sds"])).all()


@pytest.mark.usefixtures("blank_figures")
def test_a_column_that_is_not_a_headline_is_in_no_table_and_no_figure_but_on_the_prompt_page(
    frames: ReportFrames, tmp_path
) -> None:
    hidden = frames.metric_columns.assign(headline=frames.metric_columns["metric"] != "haze")
    quiet = dataclasses.replace(frames, metric_columns=hidden)
    for table in all_tables(quiet, [], baseline="sds"):
        assert "haze" not in [column.key for column in table.columns]
    for _, draw in standard_figures(quiet, baseline="sds"):
        assert not any("Haze" in axis.get_title() for axis in draw(LIGHT).axes)
    page = write_report(ReportData(quiet, "T", "sds"), tmp_path / "report").page
    assert "Haze" in (page.parent / "prompts" / "p0.html").read_text()

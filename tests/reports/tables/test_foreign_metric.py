"""A metric that the reports have never heard of is in every table and figure, whichever of its values are better."""

from __future__ import annotations

import dataclasses

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from reports import ReportFrames
from reports.figures.standard import standard_figures
from reports.figures.style import LIGHT
from reports.render import FORMATS
from reports.tables import all_tables
from reports.tables.measured import Measured
from reports.tables.ranks import rank_of_each

PROMPTS = {f"p{index}": f"prompt {index}" for index in range(8)}
#: The values of the two methods, and what is better.
FOREIGN = {
    "glitter": ("higher", None, {"sds": 10.0, "sdi": 30.0}),
    "haze": ("lower", None, {"sds": 30.0, "sdi": 10.0}),
    "chroma": ("target", 100.0, {"sds": 140.0, "sdi": 95.0}),
}


@pytest.fixture(scope="module")
def frames(make_frames) -> ReportFrames:
    made = make_frames(prompts=PROMPTS, controls=True)
    rng, scores, columns = np.random.default_rng(0), [made.scores], [made.metric_columns]
    template = made.scores[made.scores["metric"] == "clip_score"]
    for name, (direction, target, levels) in FOREIGN.items():
        values = template["method"].map(levels) + rng.normal(0, 1, len(template))
        scores.append(template.assign(metric=name, value=values))
        row = {"metric": name, "title": name.capitalize(), "unit": "%", "direction": direction, "target": target}
        columns.append(pd.DataFrame([row | {"decimals": 1, "scale": 1.0, "group": "image", "headline": True}]))
    return dataclasses.replace(made, scores=pd.concat(scores), metric_columns=pd.concat(columns, ignore_index=True))


def test_it_is_in_every_table_and_every_format(frames: ReportFrames) -> None:
    tables = {table.name: table for table in all_tables(frames, [], baseline="sds")}
    for name in ("summary", "differences", "comparisons", "robust", "variance"):
        for title in ("Glitter", "Haze", "Chroma"):
            for write in FORMATS.values():
                assert title.lower() in write(tables[name]).lower(), (name, title)


def test_it_is_in_the_figures_of_all_metrics(frames: ReportFrames) -> None:
    drawn = {figure.name: figure.draw for figure in standard_figures(frames, baseline="sds")}
    for name in ("overview", "differences"):
        figure = drawn[name](LIGHT)
        titles = " ".join(axis.get_title() for axis in figure.axes)
        plt.close(figure)
        assert all(title in titles for title in ("Glitter", "Haze", "Chroma"))


@pytest.mark.parametrize("metric", FOREIGN)
def test_the_nearer_to_what_is_best_is_the_better(frames: ReportFrames, metric: str) -> None:
    """SDI is better in all three: it has more glitter, less haze, and a chroma nearer to 100."""
    tables = {table.name: table for table in all_tables(frames, [], baseline="sds")}
    differences = tables["differences"]
    [row] = differences.rows
    column = [each.key for each in differences.columns].index(metric)
    assert row.entries[column].text == "better"
    measured = Measured(frames, "sds")
    summary = {each.key: each for each in tables["summary"].columns}
    assert rank_of_each(measured.scores(metric), summary[metric]) == {"sdi": 0, "sds": 1}


def test_a_column_that_is_no_headline_is_in_no_table(frames: ReportFrames) -> None:
    hidden = frames.metric_columns.assign(headline=frames.metric_columns["metric"] != "haze")
    quiet = dataclasses.replace(frames, metric_columns=hidden)
    for table in all_tables(quiet, [], baseline="sds"):
        assert "haze" not in [column.key for column in table.columns]

"""The figure of the power spectrum."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest
from scipy.stats import gmean

from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import LIGHT, svg_and_pdf
from reports.figures.spectrum import spectrum
from reports.figures.standard import standard_figures
from reports.frames import ReportFrames
from reports.pages.cell_rows import prompt_rows
from reports.pages.prompt_table import prompt_table
from reports.tables.all_tables import all_tables

OCTAVES = ("power_8", "power_4", "power_2")


@pytest.fixture(scope="module", params=[3, 8], ids=["few prompts", "many prompts"])
def frames(request: pytest.FixtureRequest, make_frames) -> ReportFrames:
    prompts = {f"p{i}": f"prompt {i}" for i in range(request.param)}
    made = make_frames(prompts=prompts, controls=True, views=2, images=False)
    rng, scores, controls, rows = np.random.default_rng(0), [made.scores], [made.controls], []
    template = made.scores[made.scores["metric"] == "clip_score"]
    of_controls = made.controls[made.controls["metric"] == "clip_score"]
    levels = dict.fromkeys(of_controls["control"], 50.0) | {"blank": 0.0}
    for octave, name in enumerate(OCTAVES):
        values = template["method"].map({"sds": 0.5**octave, "sdi": 0.9}) * np.exp2(rng.normal(0, 0.2, len(template)))
        scores.append(template.assign(metric=name, value=values))
        controls.append(of_controls.assign(metric=name, value=of_controls["control"].map(levels | {"noise": 0.3})))
        rows.append({"metric": name, "title": name.replace("power_", "1/"), "unit": "%", "direction": "target"})
    columns = pd.DataFrame(rows).assign(
        target=100.0, decimals=1, scale=100.0, group="spectrum", headline=False, mean="geometric"
    )
    return dataclasses.replace(
        made,
        scores=pd.concat(scores, ignore_index=True),
        controls=pd.concat(controls, ignore_index=True),
        metric_columns=pd.concat([made.metric_columns, columns], ignore_index=True),
    )


def test_a_line_per_method_through_geometric_means(frames: ReportFrames) -> None:
    (axis,) = spectrum(frames)(LIGHT).axes
    lines = {line.get_label(): line for line in axis.lines}
    for method in ("sds", "sdi"):
        rows = frames.scores[(frames.scores["method"] == method) & frames.scores["metric"].isin(OCTAVES)]
        means = 100 * rows.groupby(["metric", "prompt_id"], sort=False)["value"].mean()
        expected = [gmean(means[name]) for name in OCTAVES]
        np.testing.assert_allclose(lines[f"_{method}"].get_ydata(), expected)
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1/8", "1/4", "1/2"]
    assert axis.get_yscale() == "log"
    np.testing.assert_array_equal(lines["_reference"].get_ydata(), 100)


def test_bands_are_intervals_and_points_are_prompts(frames: ReportFrames) -> None:
    (axis,) = spectrum(frames)(LIGHT).axes
    points = [line for line in axis.lines if line.get_label() == "_prompts"]
    bands = [each for each in axis.collections if each.get_label() == "_interval"]
    assert (len(bands), len(points)) == ((2, 0) if len(frames.prompts) >= 6 else (0, 2 * len(OCTAVES)))


def test_controls_that_are_near_are_drawn_and_named(frames: ReportFrames) -> None:
    figure = spectrum(frames)(LIGHT)
    labels = {line.get_label() for line in figure.axes[0].lines}
    assert "_noise" in labels  # 30 %
    assert "_blank" not in labels  # nothing
    named = {text.get_text() for text in figure.legends[0].get_texts()}
    assert {"sds", "sdi", "reference", frames.control_titles["noise"]} == named


def test_an_octave_without_values_is_left_out(frames: ReportFrames) -> None:
    values = frames.scores["value"].mask(frames.scores["metric"] == "power_8")
    (axis,) = spectrum(dataclasses.replace(frames, scores=frames.scores.assign(value=values)))(LIGHT).axes
    assert [label.get_text() for label in axis.get_xticklabels()] == ["1/4", "1/2"]


def test_nothing_to_draw(frames: ReportFrames, make_frames) -> None:
    with pytest.raises(NothingToDraw, match="no metric of the study has a power spectrum"):
        spectrum(make_frames(images=False))
    scores = frames.scores[~frames.scores["metric"].isin(OCTAVES)]
    with pytest.raises(NothingToDraw, match="no completed cell has a power spectrum"):
        spectrum(dataclasses.replace(frames, scores=scores))


def test_the_points_of_the_curve_are_in_this_figure_only(frames: ReportFrames) -> None:
    for table in all_tables(frames, [], baseline="sds"):
        assert not {column.key for column in table.columns} & set(OCTAVES), table.name
        assert not {row.label for row in table.rows} & {"1/2 [%]"}, table.name
    for spec, _ in standard_figures(frames, baseline="sds"):
        assert not set(spec.metrics) & set(OCTAVES)
    prompt = prompt_rows(frames, {})[0]
    means = frames.scores[frames.scores["prompt_id"] == prompt.prompt_id].groupby(["cell", "metric"])["value"].mean()
    table = prompt_table(frames, prompt, means.reset_index())
    assert not {column.key for column in table.columns} & set(OCTAVES)


def test_it_is_the_same_bytes_every_time(frames: ReportFrames) -> None:
    assert svg_and_pdf(spectrum(frames)) == svg_and_pdf(spectrum(frames))

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg

from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import LIGHT, styled
from reports.figures.overview import overview
from reports.statistics import prompt_bootstrap


def lines(axis, label):
    return [line for line in axis.lines if line.get_label() == label]


def asset_means(frames, metric):
    """Mean of each prompt by method, from the frames alone."""
    completed = frames.cells.loc[frames.cells["status"] == "completed", "cell"]
    rows = frames.scores[frames.scores["cell"].isin(completed) & (frames.scores["metric"] == metric)]
    return rows.groupby(["method", "prompt_id"], sort=False)["value"].mean()


def test_marks_are_means_over_prompts_in_the_printed_unit(cases):
    frames = cases["large"]
    figure = overview(frames, metrics=["clip_score", "clip_top1"])(LIGHT)
    for axis, metric, scale in zip(figure.axes, ("clip_score", "clip_top1"), (1, 100), strict=True):
        means, drawn = lines(axis, "_mean"), lines(axis, "_interval")
        for row, method in enumerate(frames.methods):
            values = scale * asset_means(frames, metric)[method]
            assert means[row].get_xdata()[0] == pytest.approx(values.mean())
            assert means[row].get_ydata()[0] == row
            interval = prompt_bootstrap(values.to_numpy(), 0).interval
            assert tuple(drawn[row].get_xdata()) == pytest.approx((interval.low, interval.high))
            assert (means[row].get_markerfacecolor() == LIGHT.paper) == (len(values) < 43)
    assert figure.axes[0].get_ylim()[0] > figure.axes[0].get_ylim()[1]


def test_too_few_prompts_are_faint_points(cases):
    frames = cases["small"]
    axis = overview(frames, metrics=["psnr"])(LIGHT).axes[0]
    assert not lines(axis, "_interval")
    for points, method in zip(lines(axis, "_prompts"), frames.methods, strict=True):
        assert sorted(points.get_xdata()) == pytest.approx(sorted(asset_means(frames, "psnr")[method]))


def test_seeds_are_averaged_before_prompts_and_resampled_within_them(cases):
    frames = cases["seeds"]
    axis = overview(frames, metrics=["psnr"])(LIGHT).axes[0]
    cells = frames.cells.query("method == 'sds'")
    rows = frames.scores.query("metric == 'psnr' and method == 'sds'")
    table = rows.groupby(["prompt_id", "seed"])["value"].mean().unstack().loc[list(dict.fromkeys(cells["prompt_id"]))]
    expected = prompt_bootstrap(table.to_numpy(), 0)
    assert lines(axis, "_mean")[0].get_xdata()[0] == pytest.approx(table.mean(axis=1).mean())
    drawn = tuple(lines(axis, "_interval")[0].get_xdata())
    assert drawn == pytest.approx((expected.interval.low, expected.interval.high))


def test_controls_are_lines_at_their_means_or_named_if_they_are_far_off(cases):
    frames = cases["large"]
    clip, top1 = overview(frames, metrics=["clip_score", "clip_top1"])(LIGHT).axes
    controls = frames.controls.query("metric == 'clip_score'")
    means = controls.groupby(["control", "prompt_id"])["value"].mean().groupby("control").mean()
    near = {name: lines(clip, f"_{name}")[0].get_xdata()[0] for name in means.index if lines(clip, f"_{name}")}
    assert near == pytest.approx({name: means[name] for name in near})
    words = clip.get_xlabel().replace("\u00a0", " ").replace("\n", " ")
    for name in set(means.index) - set(near):
        assert f"{name.replace('_', ' ')} {means[name]:.3g}" in words
    assert "blank" not in near
    assert "prior_2d" in near
    assert top1.get_xlabel() == ""


def test_a_single_method_shows_all_controls_in_place(cases):
    (axis,) = overview(cases["one"], metrics=["clip_score"])(LIGHT).axes
    assert all(lines(axis, f"_{name}") for name in ("blank", "noise", "other_prompt", "prior_2d"))
    assert axis.get_xlabel() == ""


def test_a_foreign_control_has_its_title_and_one_panel_has_room_for_the_legend(cases):
    frames = cases["one"]
    controls = frames.controls.replace({"control": {"blank": "grey_square"}, "title": {"blank image": "grey square"}})
    with styled(LIGHT):
        figure = overview(dataclasses.replace(frames, controls=controls), metrics=["clip_score"])(LIGHT)
        box = figure.get_tightbbox(FigureCanvasAgg(figure).get_renderer())
    assert lines(figure.axes[0], "_grey_square")
    assert next(text.get_text() for text in figure.legends[0].get_texts()) == "grey square"
    assert min(box.x0, box.y0, *(figure.get_size_inches() - (box.x1, box.y1))) > -0.01


def test_metrics_and_methods_without_a_score_are_left_out(cases):
    frames = cases["small"]
    keep = (frames.scores["metric"] != "quality") & (frames.scores["method"] != "ism")
    bare = dataclasses.replace(frames, scores=frames.scores[keep])
    (axis,) = overview(bare, metrics=["quality", "psnr"])(LIGHT).axes
    assert [line.get_ydata()[0] for line in lines(axis, "_mean")] == [0, 1, 3]
    assert len(axis.get_yticklabels()) == 4
    with pytest.raises(NothingToDraw):
        overview(bare, metrics=["quality"])


def test_views_without_a_value_do_not_count(cases):
    frames = cases["small"]
    holes = frames.scores["value"].mask(frames.scores["view"] == 1, np.nan)
    axis = overview(dataclasses.replace(frames, scores=frames.scores.assign(value=holes)), metrics=["psnr"])(
        LIGHT
    ).axes[0]
    first = frames.scores.query("metric == 'psnr' and method == 'sdi' and view == 0")["value"].mean()
    assert lines(axis, "_mean")[3].get_xdata()[0] == pytest.approx(first)

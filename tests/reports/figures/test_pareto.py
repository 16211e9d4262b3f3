from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import LIGHT
from reports.figures.pareto import front, pareto
from reports.frames import ReportError
from reports.statistics import prompt_bootstrap


def marks(axis):
    """Return the place of each method's mark, by its label."""
    return {
        line.get_label()[1:]: (line.get_xdata()[0], line.get_ydata()[0], line.get_markerfacecolor())
        for line in axis.lines
        if line.get_label() not in ("_interval", "_prompts", "_front")
    }


def named(axis, label):
    return [line for line in axis.lines if line.get_label() == label]


def per_prompt(frames, metric, method):
    cells = frames.cells.query("status == 'completed' and method == @method")
    scores = frames.scores[frames.scores["cell"].isin(cells["cell"]) & (frames.scores["metric"] == metric)]
    return scores.groupby("prompt_id")["value"].mean(), cells.groupby("prompt_id")["optimise_seconds"].mean()


@pytest.mark.parametrize("higher_is_better", [True, False])
def test_no_other_point_beats_a_point_of_the_front(higher_is_better):
    rng = np.random.default_rng(0)
    for _ in range(200):
        costs, values = rng.integers(0, 6, (2, rng.integers(1, 9))).astype(float)
        good = values if higher_is_better else -values
        beaten = [
            any((costs <= c) & (good >= g) & ((costs < c) | (good > g))) for c, g in zip(costs, good, strict=True)
        ]
        kept = front(costs, values, higher_is_better=higher_is_better)
        assert not any(beaten[index] for index in kept)
        assert {(costs[i], values[i]) for i in kept} == {
            (c, v) for c, v, lost in zip(costs, values, beaten, strict=True) if not lost
        }
        assert np.all(np.diff(costs[kept]) > 0)


def test_marks_are_means_over_prompts_with_intervals_in_both_directions(cases):
    frames = cases["large"]
    axis = pareto(frames, metrics=["clip_score"], costs=["optimise_seconds"])(LIGHT).axes[0]
    shown = marks(axis)
    assert list(shown) == [method for method in frames.methods if method in shown]
    bars = iter(named(axis, "_interval"))
    for method, (x, y, fill) in shown.items():
        scores, seconds = per_prompt(frames, "clip_score", method)
        assert (x, y) == pytest.approx((seconds.mean(), scores.mean()))
        assert (fill == LIGHT.paper) == (len(scores) < 43)
        order = [prompt for prompt in frames.prompts if prompt in scores.index]
        for values, bar, across in ((scores, next(bars), False), (seconds, next(bars), True)):
            interval = prompt_bootstrap(values[order].to_numpy(), 0).interval
            ends = bar.get_xdata() if across else bar.get_ydata()
            assert tuple(ends) == pytest.approx((interval.low, interval.high))
    assert not named(axis, "_prompts")
    (step,) = named(axis, "_front")
    points = [(x, y) for x, y, _ in shown.values()]
    assert step.get_ydata()[-2] == pytest.approx(max(y for _, y in points))
    assert step.get_xdata()[0] == pytest.approx(min(x for x, _ in points))
    assert step.get_drawstyle() == "steps-post"


def test_too_few_prompts_are_points_and_no_interval(cases):
    frames = cases["small"]
    axis = pareto(frames, metrics=["clip_score"], costs=["optimise_seconds"])(LIGHT).axes[0]
    assert not named(axis, "_interval")
    for method, points in zip(frames.methods, named(axis, "_prompts"), strict=True):
        scores, seconds = per_prompt(frames, "clip_score", method)
        assert sorted(points.get_xydata().tolist()) == sorted(map(list, zip(seconds, scores, strict=True)))


def test_a_row_for_each_metric_and_a_column_for_each_cost_that_was_counted(cases):
    frames = cases["small"]
    titles = [axis.get_title() for axis in pareto(frames, metrics=["clip_score", "extra_faces"])(LIGHT).axes]
    assert titles == [
        "CLIP ↑ against time", "CLIP ↑ against UNet rows",
        "Extra faces % ↓ against time", "Extra faces % ↓ against UNet rows",
    ]  # fmt: skip
    uncounted = dataclasses.replace(frames, cells=frames.cells.assign(unet_rows=0))
    assert len(pareto(uncounted, metrics=["clip_score"])(LIGHT).axes) == 1


def test_a_metric_without_a_direction_has_no_front(cases):
    frames = cases["small"]
    aimless = dataclasses.replace(frames, metric_columns=frames.metric_columns.assign(direction=None))
    assert not named(pareto(aimless, metrics=["clip_score"])(LIGHT).axes[0], "_front")


def test_costs_that_span_decades_are_logarithmic_in_plain_numbers(cases):
    frames = cases["large"]
    axis = pareto(frames, metrics=["clip_score"], costs=["optimise_seconds"])(LIGHT).axes[0]
    assert axis.get_xscale() == "log"
    assert {"50", "100", "200"} <= {label.get_text() for label in axis.get_xticklabels()}


def test_without_two_methods_there_is_nothing_to_draw(cases):
    for case in ("one", "lost"):
        with pytest.raises(NothingToDraw):
            pareto(cases[case], metrics=["clip_score"])
    with pytest.raises(ReportError, match="metrics: 'clip' is not one of clip_score"):
        pareto(cases["small"], metrics=["clip"])

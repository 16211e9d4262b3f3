from __future__ import annotations

import dataclasses

import pytest

from reports.figures.differences import differences
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import LIGHT
from reports.frames import ReportError
from reports.statistics import prompt_bootstrap


def lines(axis, label):
    return [line for line in axis.lines if line.get_label() == label]


def paired(frames, metric, method, baseline):
    completed = frames.cells.loc[frames.cells["status"] == "completed", "cell"]
    rows = frames.scores[frames.scores["cell"].isin(completed) & (frames.scores["metric"] == metric)]
    table = rows.groupby(["prompt_id", "method"])["value"].mean().unstack().reindex(list(frames.prompts))
    return (table[method] - table[baseline]).dropna()


def test_marks_are_mean_differences_on_common_prompts_with_each_prompt_faint(cases):
    frames = cases["large"]
    figure = differences(frames, baseline="sds", metrics=["clip_score", "psnr"])(LIGHT)
    assert [text.get_text() for text in figure.axes[0].get_yticklabels()] == frames.methods[1:]
    for axis, metric in zip(figure.axes, ("clip_score", "psnr"), strict=True):
        assert axis.get_xlabel() == "method − sds"
        (zero,) = lines(axis, "_baseline")
        assert zero.get_xdata() == [0, 0]
        parts = (lines(axis, label) for label in ("_mean", "_interval", "_prompts"))
        for method, mean, interval, points in zip(frames.methods[1:], *parts, strict=True):
            expected = paired(frames, metric, method, "sds")
            assert mean.get_xdata()[0] == pytest.approx(expected.mean())
            assert points.get_xdata() == pytest.approx(expected.to_numpy())
            bounds = prompt_bootstrap(expected.to_numpy(), 0).interval
            assert tuple(interval.get_xdata()) == pytest.approx((bounds.low, bounds.high))
            assert (mean.get_markerfacecolor() == LIGHT.paper) == (len(expected) < 43)


def test_the_baseline_may_stand_anywhere_and_few_prompts_have_no_interval(cases):
    frames = cases["small"]
    (axis,) = differences(frames, baseline="ism", metrics=["psnr"])(LIGHT).axes
    assert [text.get_text() for text in axis.get_yticklabels()] == ["sds", "nfsd", "sdi"]
    assert not lines(axis, "_interval")
    assert [len(line.get_xdata()) for line in lines(axis, "_prompts")] == [2, 3, 3]


def test_without_a_pair_there_is_nothing_to_draw(cases):
    for case in ("one", "lost"):
        with pytest.raises(NothingToDraw, match="no prompt has a score of both sds and another method"):
            differences(cases[case], baseline="sds", metrics=["psnr"])
    with pytest.raises(ReportError, match="method 'vsd' is not one of"):
        differences(cases["small"], baseline="vsd", metrics=["psnr"])


def test_methods_that_are_equal_everywhere_are_at_zero_of_an_axis_that_shows_no_rounding(cases):
    frames = cases["small"]
    equal = frames.scores["method"].map({"sds": 0.3, "ism": 0.1 + 0.2}).fillna(0.3)
    frames = dataclasses.replace(frames, scores=frames.scores.assign(value=equal))
    (axis,) = differences(frames, baseline="sds", metrics=["psnr"])(LIGHT).axes
    assert axis.get_xlim() == (-1, 1)

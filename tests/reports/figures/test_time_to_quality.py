from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import LIGHT
from reports.figures.time_to_quality import time_to_quality
from reports.frames import ReportError
from reports.statistics import prompt_bootstrap


def line(axis, label):
    return next(line for line in axis.lines if line.get_label() == f"_{label}")


def common(frames):
    completed = frames.cells[frames.cells["status"] == "completed"]
    counts = completed.groupby("prompt_id")["method"].nunique()
    return [prompt for prompt in frames.prompts if counts.get(prompt, 0) == len(frames.methods)]


@pytest.mark.parametrize("case", ["large", "small"])
def test_lines_are_means_over_the_prompts_that_all_methods_completed(cases, case):
    frames = cases[case]
    prompts = common(frames)
    assert 0 < len(prompts) < len(frames.prompts)
    seconds, calls = time_to_quality(frames, metrics=["clip_score"])(LIGHT).axes
    assert seconds.get_title() == f"CLIP ↑, {len(prompts)} prompts"
    for method in frames.methods:
        own = frames.snapshots.query("metric == 'clip_score' and method == @method and prompt_id in @prompts")
        assert line(seconds, method).get_xdata() == pytest.approx(own.groupby("step")["seconds"].mean())
        assert line(seconds, method).get_ydata() == pytest.approx(own.groupby("step")["value"].mean())
        # the events count two calls per step, the first at 0: 2 · (step − 1) before step
        assert line(calls, method).get_xdata() == pytest.approx([0, 0.018, 0.048, 0.078])  # thousands
        assert line(calls, method).get_ydata() == pytest.approx(line(seconds, method).get_ydata())


def test_the_end_is_over_all_views_at_the_cells_own_cost(cases):
    frames = cases["large"]
    prompts = common(frames)
    seconds, calls = time_to_quality(frames, metrics=["clip_score"])(LIGHT).axes
    rows = frames.scores[(frames.scores["metric"] == "clip_score") & frames.scores["prompt_id"].isin(prompts)]
    cells = frames.cells[frames.cells["prompt_id"].isin(prompts)]
    for axis, cost, size in ((seconds, "optimise_seconds", 1), (calls, "unet_calls", 1e3)):
        ends = [line for line in axis.lines if line.get_label() == "_end"]
        for method, end in zip(frames.methods, ends, strict=True):
            assert end.get_ydata()[0] == pytest.approx(rows.loc[rows["method"] == method, "value"].mean())
            assert end.get_xdata()[0] == pytest.approx(cells.loc[cells["method"] == method, cost].mean() / size)


def test_bands_are_intervals_over_prompts_and_few_prompts_are_lines(cases):
    frames = cases["large"]
    prompts = common(frames)
    seconds = time_to_quality(frames, metrics=["clip_score"])(LIGHT).axes[0]
    own = frames.snapshots.query("metric == 'clip_score' and method == 'sds' and step == 0")
    values = own.groupby("prompt_id")["value"].mean().loc[prompts]
    interval = prompt_bootstrap(values.to_numpy(), 0).interval
    band = seconds.collections[0].get_paths()[0].vertices
    at_start = band[band[:, 0] == 0, 1]
    assert (at_start.min(), at_start.max()) == pytest.approx((interval.low, interval.high))
    few = time_to_quality(cases["small"], metrics=["clip_score"])(LIGHT).axes[0]
    assert not few.collections
    assert sum(line.get_label() == "_prompt" for line in few.lines) == 4 * len(common(cases["small"]))


def test_values_are_in_the_printed_unit(cases):
    frames = cases["small"]
    scaled = frames.metric_columns.assign(scale=100.0)
    plain = time_to_quality(frames, metrics=["clip_score"])(LIGHT).axes[0]
    percent = time_to_quality(dataclasses.replace(frames, metric_columns=scaled), metrics=["clip_score"])(LIGHT).axes[0]
    assert line(percent, "sds").get_ydata() == pytest.approx(100 * line(plain, "sds").get_ydata())


def test_without_events_there_is_no_panel_of_calls(cases):
    frames = cases["small"]
    silent = dataclasses.replace(frames, events=frames.events.iloc[:0])
    (axis,) = time_to_quality(silent, metrics=["clip_score"])(LIGHT).axes
    assert axis.get_xlabel() == "time (s)"


def test_a_step_that_not_every_prompt_reached_is_left_out(cases):
    frames = cases["small"]
    late = (frames.snapshots["prompt_id"] == "p0") & (frames.snapshots["step"] == 40)
    axis = time_to_quality(dataclasses.replace(frames, snapshots=frames.snapshots[~late]), metrics=["clip_score"])(
        LIGHT
    ).axes[0]
    assert len(line(axis, "sds").get_xdata()) == 3


def test_without_snapshots_or_a_common_prompt_there_is_nothing(cases):
    frames = cases["small"]
    with pytest.raises(NothingToDraw, match="no snapshots"):
        time_to_quality(dataclasses.replace(frames, snapshots=frames.snapshots.iloc[:0]), metrics=["clip_score"])
    status = np.where((frames.cells["method"] == "sds") == (frames.cells["prompt_id"] == "p0"), "nan", "completed")
    with pytest.raises(NothingToDraw, match="no prompt has snapshots of every method"):
        time_to_quality(dataclasses.replace(frames, cells=frames.cells.assign(status=status)), metrics=["clip_score"])
    with pytest.raises(ReportError, match="metrics: 'clip' is not one of"):
        time_to_quality(frames, metrics=["clip"])


def test_strings_may_be_categories_as_the_harness_loads_them(cases):
    frames = cases["small"]
    words = dict.fromkeys(("cell", "method", "prompt_id"), "category")
    loaded = dataclasses.replace(frames, events=frames.events.astype(words))
    drawn, same = (time_to_quality(each, metrics=["clip_score"])(LIGHT).axes[1] for each in (frames, loaded))
    for method in frames.methods:
        assert line(drawn, method).get_xdata().tolist() == line(same, method).get_xdata().tolist()

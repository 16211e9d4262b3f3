from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import LIGHT
from reports.figures.profiles import profiles
from reports.statistics import wilson_interval


def line(axis, method):
    return next(line for line in axis.lines if line.get_label() == f"_{method}")


def of_prompts(frames, metric, method):
    completed = frames.cells.query("status == 'completed' and method == @method")["cell"]
    rows = frames.scores[frames.scores["cell"].isin(completed) & (frames.scores["metric"] == metric)]
    return rows.groupby("prompt_id")["value"].mean().to_numpy()


def test_lines_are_shares_of_prompts_and_diverged_ones_are_above_nothing(cases):
    frames = cases["large"]
    axis = profiles(frames, metrics=["clip_score"])(LIGHT).axes[0]
    ended = {
        "sds": 43,
        "sdi": 43,
        "hifa": 42,
        "vsd": 42,
    }  # 8 of sds and 1 of vsd diverged, 1 of hifa crashed, 1 of vsd oom
    for method, n in ended.items():
        values = of_prompts(frames, "clip_score", method)
        thresholds, share = line(axis, method).get_data()
        assert share == pytest.approx([(values > threshold).sum() / n for threshold in thresholds])
    assert line(axis, "sds").get_ydata()[0] == pytest.approx(35 / 43)
    assert line(axis, "hifa").get_ydata()[0] == 1.0
    assert line(axis, "hifa").get_ydata()[-1] == 0.0


def test_bands_are_wilsons_intervals_where_a_prompt_has_one_seed(cases):
    frames = cases["large"]
    axis = profiles(frames, metrics=["clip_score"])(LIGHT).axes[0]
    band = axis.collections[0].get_paths()[0].vertices
    low, high = wilson_interval(35, 43).low, wilson_interval(35, 43).high
    left = band[np.isclose(band[:, 0], band[:, 0].min()), 1]
    assert (left.min(), left.max()) == pytest.approx((low, high))
    assert len(axis.collections) == len(frames.methods)


def test_where_lower_is_better_the_share_below_counts(cases):
    frames = cases["large"]
    axis = profiles(frames, metrics=["extra_faces"])(LIGHT).axes[0]
    thresholds, share = line(axis, "sdi").get_data()
    values = 100 * of_prompts(frames, "extra_faces", "sdi")
    assert share == pytest.approx([(values < threshold).mean() for threshold in thresholds])
    assert axis.get_xlabel() == "τ (share below)"


def test_seeds_of_a_prompt_count_as_parts_of_it(cases):
    frames = cases["seeds"]
    axis = profiles(frames, metrics=["psnr"])(LIGHT).axes[0]
    thresholds, share = line(axis, "sds").get_data()
    table = frames.scores.query("metric == 'psnr' and method == 'sds'").groupby(["prompt_id", "seed"])["value"].mean()
    assert share == pytest.approx([(table > threshold).mean() for threshold in thresholds])


def test_a_method_that_lost_every_prompt_lies_at_zero_and_no_score_is_nothing(cases):
    frames = cases["small"]
    status = frames.cells["status"].mask(frames.cells["method"] == "sdi", "nan")
    axis = profiles(dataclasses.replace(frames, cells=frames.cells.assign(status=status)), metrics=["psnr"])(
        LIGHT
    ).axes[0]
    assert not np.any(line(axis, "sdi").get_ydata())
    with pytest.raises(NothingToDraw):
        profiles(cases["lost"], metrics=["psnr"])

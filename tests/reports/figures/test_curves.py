import dataclasses

import numpy as np
import pandas as pd
import pytest

from reports.figures.curves import POINTS, curves, thin_events
from reports.figures.drawing.nothing_to_draw import NothingToDraw
from reports.figures.drawing.style import LIGHT, svg_and_pdf
from reports.pages.sparkline import HEIGHT, WIDTH, sparkline


def test_thinning_keeps_the_mean_and_bounds_the_points():
    events = pd.DataFrame({"cell": "a", "step": range(10 * POINTS), "loss": range(10 * POINTS), "opacity": 0.5})
    thin = thin_events(events)
    assert len(thin) <= POINTS
    assert thin["loss"].mean() == pytest.approx(events["loss"].mean(), rel=0.01)


def test_short_curves_are_unchanged():
    events = pd.DataFrame({"cell": "a", "step": range(9), "loss": range(9), "opacity": 0.5})
    assert thin_events(events)["loss"].tolist() == list(range(9))


def test_each_cell_is_a_line_and_diverged_ones_are_dashed(make_frames):
    frames = make_frames(methods=("sds", "a_$b"), statuses={("sds", "mug"): "nan"}, views=1)
    figure = curves(frames)(LIGHT)
    loss_sds, loss_other = figure.axes[0], figure.axes[1]
    assert [line.get_linestyle() for line in loss_sds.lines] == ["-", "-", "--", "-"]  # three cells and the mean
    mean = frames.events.query("method == 'sds' and prompt_id != 'mug'").groupby("step")["loss"].mean()
    np.testing.assert_allclose(loss_sds.lines[-1].get_ydata(), mean)
    assert loss_other.get_title() == "a_$b"


def test_an_arm_without_steps_has_no_panel(make_frames):
    frames = make_frames(methods=("sds", "theirs (imported)"), views=1)
    ours = dataclasses.replace(frames, events=frames.events[frames.events["method"] == "sds"])
    titles = [axis.get_title() for axis in curves(ours)(LIGHT).axes if axis.get_visible() and axis.get_title()]
    assert titles == ["sds"]


def test_loss_is_logarithmic_only_if_it_spans_decades(make_frames):
    frames = make_frames(views=1)
    assert {axis.get_yscale() for axis in curves(frames)(LIGHT).axes} == {"linear"}
    decades = frames.events["loss"].where(frames.events["method"] == "sds", 10.0 ** (frames.events["step"] / 10))
    wide = dataclasses.replace(frames, events=frames.events.assign(loss=decades))
    assert [axis.get_yscale() for axis in curves(wide)(LIGHT).axes] == ["linear", "log", "linear", "linear"]


def test_an_infinite_loss_is_drawn_up_to_the_last_finite_value(make_frames):
    frames = make_frames(views=1)
    lost = frames.events["loss"].mask(frames.events["step"] > 20, np.inf).mask(frames.events["step"] > 30)
    figure = curves(dataclasses.replace(frames, events=frames.events.assign(loss=lost)))(LIGHT)
    assert np.isfinite(figure.axes[0].lines[0].get_ydata()).sum() == 21


def test_it_is_the_same_bytes_every_time(make_frames):
    frames = make_frames(prompts={"mug": "a mug"}, methods=("a_$b", "b"), views=1)
    draw = curves(frames)
    assert svg_and_pdf(draw) == svg_and_pdf(draw)


def test_without_events_there_is_nothing_to_draw(make_frames):
    frames = make_frames(views=1)
    with pytest.raises(NothingToDraw, match="no step was logged"):
        curves(dataclasses.replace(frames, events=frames.events.iloc[:0]))


def test_a_sparkline_is_inside_its_box():
    path = sparkline(pd.Series([3.0, np.nan, -1.0, 2.0, np.inf]))
    points = np.array([point.split() for point in path[1:].split("L")], dtype=float)
    assert len(points) == 3
    assert ((points >= 0) & (points <= [WIDTH, HEIGHT])).all()
    assert points[:, 1].argmin() == 0  # the largest value is at the top


@pytest.mark.parametrize("values", [[], [1.0], [np.nan, np.nan]])
def test_too_few_values_give_no_sparkline(values):
    assert sparkline(pd.Series(values, dtype=float)) == ""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from reports.figures.drawing.style import LIGHT, svg_and_pdf
from reports.figures.spec import KINDS, FigureSpec, explained, make_figure, make_or_explain
from reports.frames import ReportError
from reports.tables.measured import Measured
from reports.tables.summary import summary_table

SWEEP = FigureSpec("sizes", "sweep", "Sizes", metrics=("quality", "optimise_seconds"), x="size.value", x_label="size")
ARMS = FigureSpec("arms", "arms", "Arms", metrics=("quality", "psnr"))
ERRORS = FigureSpec("errors", "error_by_timestep", "Errors")
COURSE = FigureSpec("course", "time_to_quality", "Course", metrics=("clip_score",))
LABELS = ("sds-16", "sds-32", "sdi-16", "sdi-32", "sdi")


@pytest.fixture(scope="module")
def frames(make_frames):
    frames = make_frames(methods=LABELS, views=2, statuses={("sds-32", "mug"): "empty"})
    return dataclasses.replace(frames, events=frames.events.assign(timestep=1000 - 20 * frames.events["step"]))


def test_a_sweep_has_a_line_for_each_method_through_the_means_over_prompts(frames):
    quality, seconds = make_or_explain(frames, SWEEP)(LIGHT).axes
    lines = {line.get_label(): line for line in quality.lines}
    assert set(lines) == {"sds", "sdi"} | {"sdi"}
    scores = frames.scores.merge(frames.cells[["cell", "status"]], on="cell").query("status == 'completed'")
    mean = scores.query("metric == 'quality' and method == 'sds-32'").groupby("prompt_id")["value"].mean().mean()
    assert lines["sds"].get_xdata().tolist() == [16, 32]
    np.testing.assert_allclose(lines["sds"].get_ydata()[1], mean)
    dashed = [line for line in quality.lines if line.get_linestyle() == "--"]
    assert len(dashed) == 1  # the arm that has no size
    (legend,) = quality.figure.legends
    assert [text.get_text() for text in legend.get_texts()] == ["sds", "sdi", "sdi"]  # its line and that of the others
    assert seconds.get_title() == "time (s)"
    assert seconds.get_xticks().tolist() == [16, 32]


def _means(axis) -> dict:
    """Height of each mean, and whether its mark is hollow, in the order in which they are drawn."""
    marks = [mark for mark in axis.collections if mark.get_label() == "_mean"]
    return {float(mark.get_offsets()[0][1]): tuple(mark.get_facecolors()[0][:3]) == (1.0, 1.0, 1.0) for mark in marks}


def test_a_mean_over_fewer_prompts_because_of_divergence_is_hollow(frames):
    assert list(_means(make_or_explain(frames, SWEEP)(LIGHT).axes[0]).values()) == [False, True, False, False, False]


def test_a_mean_of_a_sweep_has_its_interval_from_six_prompts_on(frames, make_frames):
    many = make_frames(methods=LABELS, prompts={f"p{i}": f"prompt {i}" for i in range(6)}, views=2, images=False)
    axis = make_or_explain(many, SWEEP)(LIGHT).axes[0]
    bars = [bar for bar in axis.collections if bar.get_label() == "_interval"]
    table = summary_table(Measured(many, "sdi"), [])
    place = [column.key for column in table.columns].index("quality")
    expected = [(row.entries[place].low, row.entries[place].high) for row in table.rows]
    np.testing.assert_allclose([bar.get_segments()[0][:, 1] for bar in bars], expected)
    few = make_or_explain(frames, SWEEP)(LIGHT).axes[0]
    assert not [bar for bar in few.collections if bar.get_label() == "_interval"]


def test_the_caption_of_a_sweep_says_what_its_bars_are():
    assert explained(dataclasses.replace(SWEEP, caption="Dashed: SDI.")).caption.startswith("Dashed: SDI. Large marks")
    assert "thin bars their 95 % intervals (from 6 prompts on)" in explained(SWEEP).caption
    assert explained(ERRORS) == ERRORS


def test_arms_without_the_number_of_a_sweep_can_be_told_apart(make_frames, as_imported):
    """Imported arms have the same method, and may have renders of one prompt only."""
    frames = make_frames(methods=("sds-16", "sds-32", "theirs", "theirs2"), views=2, images=False)
    frames = as_imported(as_imported(frames, "theirs", list(frames.prompts)), "theirs2", ["mug"])
    figure = make_or_explain(frames, dataclasses.replace(SWEEP, metrics=("quality",)))(LIGHT)
    (axis,) = figure.axes
    lines = {line.get_label(): line for line in axis.lines}
    assert len({line.get_color() for line in lines.values()}) == 3
    assert lines["theirs"].get_linestyle() != lines["theirs2"].get_linestyle()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["sds", "theirs", "theirs2"]
    hollow = _means(axis)
    assert [hollow[float(lines[label].get_ydata()[0])] for label in ("theirs", "theirs2")] == [False, True]


def test_arms_are_in_the_studys_order_and_have_a_remark_on_divergence(frames):
    axis = make_or_explain(frames, ARMS)(LIGHT).axes[0]
    assert [tick.get_text() for tick in axis.get_yticklabels()] == [
        "sds-16", "sds-32\n(1 of 3 diverged)", "sdi-16", "sdi-32", "sdi",
    ]  # fmt: skip
    assert axis.get_ylim()[0] > axis.get_ylim()[1]
    mug = next(line for line in axis.lines if len(line.get_xdata()) == 4)  # its diverged arm has no score
    assert mug.get_ydata().tolist() == [0, 2, 3, 4]


def test_the_error_is_averaged_in_bins_of_t_from_high_to_low(frames):
    axis = make_or_explain(frames, ERRORS)(LIGHT).axes[0]
    mean = next(line for line in axis.lines if line.get_label() == "sdi")
    t, error = mean.get_xdata(), mean.get_ydata()
    assert len(t) == 10
    assert axis.xaxis_inverted()
    np.testing.assert_allclose(np.diff(error), np.diff(error)[0])  # 0.1 · step, while t falls with the step
    assert (np.diff(t) > 0).all()
    assert (np.diff(error) < 0).all()


def test_arms_that_differ_in_more_than_the_axis_are_lines_of_their_own(frames):
    """A mean of two arms at one place would be of neither."""
    extra = {"sdi-16": {"t": "low"}, "sdi-32": {"t": "low"}, "sds-16": {}, "sds-32": {}, "sdi": {}}
    settings = [
        json.dumps({**json.loads(text), **extra[label], "method": "sds", "label": label})
        for label, text in zip(frames.cells["method"], frames.cells["settings"], strict=True)
    ]
    changed = dataclasses.replace(frames, cells=frames.cells.assign(settings=settings))
    axis = make_or_explain(changed, SWEEP)(LIGHT).axes[0]
    lines = {line.get_label(): line.get_xdata() for line in axis.lines if line.get_linestyle() == "-"}
    assert {label: list(x) for label, x in lines.items()} == {"sds-16": [16, 32], "sdi-16": [16, 32]}


def test_a_sweep_of_arms_without_its_number_says_so(frames):
    (text,) = make_or_explain(frames, dataclasses.replace(SWEEP, x="size.other"))(LIGHT).texts
    assert text.get_text() == "Nothing to draw: no cell has a number at 'size.other'."


def test_unknown_names_are_named(frames):
    with pytest.raises(ReportError, match="figure 'arms': metrics: 'qualty' is not one of"):
        make_or_explain(frames, dataclasses.replace(ARMS, metrics=("qualty",)))(LIGHT)
    with pytest.raises(ReportError, match="figure 'pareto': metrics: 'qualty' is not one of"):
        make_or_explain(frames, FigureSpec("pareto", "pareto", "Pareto", metrics=("qualty",)))(LIGHT)


def test_a_figure_without_data_says_so(frames):
    silent = dataclasses.replace(frames, events=frames.events.assign(fixed_point_error=np.nan))
    for spec, why in ((ERRORS, "no method of the study logged its fixed_point_error"), (COURSE, "no snapshots")):
        figure = make_or_explain(silent, spec)(LIGHT)
        assert not figure.axes
        assert why in figure.texts[0].get_text()


def test_every_kind_draws_a_study_that_has_everything(make_frames):
    frames = make_frames(methods=LABELS, views=1, snapshots=True, statuses={("sdi", "mug"): "nan"}, images=False)
    is_octave = frames.metric_columns["metric"] == "image_reward"
    group = frames.metric_columns["group"].mask(is_octave, "spectrum")
    frames = dataclasses.replace(frames, metric_columns=frames.metric_columns.assign(group=group))
    for kind in KINDS:
        spec = FigureSpec("x", kind, "X", metrics=("clip_score",), x="size.value", baseline="sdi")
        assert make_figure(frames, spec)(LIGHT).axes, kind


def test_an_unknown_kind_is_refused(frames):
    with pytest.raises(ReportError, match="figure 'x': kind 'pie' is not one of overview, differences"):
        make_figure(frames, FigureSpec("x", "pie", "X"))


@pytest.mark.parametrize("spec", [SWEEP, ARMS, ERRORS], ids=lambda spec: spec.kind)
def test_figures_are_the_same_bytes_every_time(frames, spec):
    assert svg_and_pdf(make_figure(frames, spec)) == svg_and_pdf(make_figure(frames, spec))


def _on_top(frames) -> list[str]:
    (axis,) = make_or_explain(frames, ERRORS)(LIGHT).axes
    return [tick.get_text() for above in axis.child_axes for tick in above.get_xticklabels()]


def test_the_log_snr_of_t_is_above_the_panel(frames):
    """At the ticks 200, 400, … of a prior whose log-SNR falls by 1 in 100 timesteps."""
    known = dataclasses.replace(frames, events=frames.events.assign(log_snr=5 - frames.events["timestep"] / 100))
    (axis,) = make_or_explain(known, ERRORS)(LIGHT).axes
    assert _on_top(known) == [f"{5 - t / 100:+.1f}".replace("-", "−") for t in axis.get_xticks() if 20 <= t <= 1000]
    assert len(_on_top(known)) >= 4


def test_there_is_no_log_snr_for_older_records_or_for_priors_that_differ_in_it(frames):
    known = 5 - frames.events["timestep"] / 100
    differs = known.where(frames.events["method"] == "sdi", known + 1)
    for unusable in (np.nan, differs):
        assert _on_top(dataclasses.replace(frames, events=frames.events.assign(log_snr=unusable))) == []

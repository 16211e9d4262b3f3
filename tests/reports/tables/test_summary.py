import dataclasses
import math
import statistics

import pandas as pd
import pytest

from reports.frames import CONTROLS
from reports.statistics import prompt_bootstrap
from reports.tables import Measured
from reports.tables.summary import all_prompts_table, common_table, divergence_entry, summary_table

MANY = {f"p{index}": f"object {index}" for index in range(8)}
TITLES = {"blank": "blank image", "noise": "pixel noise"}


def with_controls(frames, means):
    """Controls of two views each, whose mean is that of ``means`` plus the number of the prompt."""
    rows = [
        {
            "control": control,
            "title": TITLES[control],
            "prompt_id": prompt,
            "prompt": text,
            "view": view,
            "azimuth_deg": 0.0,
        }
        | {"metric": metric, "value": mean + index + 2 * view - 1, "rgb_path": "x.png"}
        for control, mean in means.items()
        for index, (prompt, text) in enumerate(frames.prompts.items())
        for metric in frames.metric_columns["metric"]
        for view in range(2)
    ]
    return dataclasses.replace(frames, controls=pd.DataFrame(rows, columns=list(CONTROLS)))


def entry(table, method, key):
    row = next(row for row in table.rows if row.label == method)
    return dict(zip([column.key for column in table.columns], row.entries, strict=True))[key]


def by_hand(frames, method, metric, scale, prompts):
    """The same numbers by loops over plain rows: views → asset → seeds → prompt."""
    scores, per_prompt = frames.scores[frames.scores["metric"] == metric].to_dict("records"), []
    for prompt in prompts:
        per_seed = []
        for cell in frames.cells.to_dict("records"):
            if (cell["method"], cell["prompt_id"], cell["status"]) != (method, prompt, "completed"):
                continue
            own = [row["value"] for row in scores if row["cell"] == cell["cell"]]
            values = [value for value in own if not math.isnan(value)]
            per_seed.append(scale * statistics.fmean(values))
        if per_seed:
            per_prompt.append(statistics.fmean(per_seed))
    return statistics.fmean(per_prompt), statistics.stdev(per_prompt), len(per_prompt)


@pytest.mark.parametrize(("metric", "scale"), [("clip_score", 1), ("clip_top1", 100), ("extra_faces", 100)])
@pytest.mark.parametrize("method", ["sds", "sdi"])
def test_means_and_sd_are_those_computed_by_hand(make_frames, method, metric, scale):
    frames = make_frames(seeds=(0, 1), statuses={("sds", "mug"): "empty"})
    got = entry(summary_table(Measured(frames, "sds"), []), method, metric)
    mean, sd, n = by_hand(frames, method, metric, scale, frames.prompts)
    assert (got.mean, got.sd, got.n) == (pytest.approx(mean), pytest.approx(sd), n)
    got = entry(common_table(Measured(frames, "sds"), []), method, metric)
    mean, sd, n = by_hand(frames, method, metric, scale, ["red-car", "blue-duck"])
    assert (got.mean, got.sd, got.n) == (pytest.approx(mean), pytest.approx(sd), n)


def test_scores_of_the_truth_are_the_last_columns(make_frames):
    keys = [column.key for column in summary_table(Measured(make_frames(), "sds"), []).columns]
    scores = ["clip_score", "quality", "sharpness", "image_reward", "clip_top1"]
    assert keys == [*scores, "divergence", "time", "memory", "unet_rows", "psnr", "extra_faces"]


def test_a_metric_without_scores_leaves_a_gap_not_a_number(make_frames):
    frames = make_frames()
    frames = dataclasses.replace(frames, scores=frames.scores[frames.scores["metric"] != "psnr"])
    got = entry(summary_table(Measured(frames, "sds"), []), "sds", "psnr")
    assert (got.mean, got.sd, got.n) == (None, None, 0)


def test_failures_of_the_run_are_neither_divergence_nor_in_its_count(make_frames):
    statuses = {("sds", "red-car"): "opaque", ("sds", "mug"): "oom"}
    got = entry(summary_table(Measured(make_frames(statuses=statuses), "sds"), []), "sds", "divergence")
    assert (got.mean, got.text, got.note) == (50.0, "1/2", "1 oom")


@pytest.mark.parametrize("status", ["nan", "empty", "opaque", "frozen"])
def test_every_kind_of_divergence_counts(make_frames, status):
    frames = make_frames()
    frames = dataclasses.replace(frames, cells=frames.cells.assign(status=status))
    got = divergence_entry(Measured(frames, "sds"), "sdi")
    assert (got.mean, got.text, got.note) == (100.0, "3/3", "")
    assert got.cells == ("sdi-red-car-0", "sdi-blue-duck-0", "sdi-mug-0")


def test_only_failures_give_no_share_at_all(make_frames):
    frames = make_frames()
    frames = dataclasses.replace(frames, cells=frames.cells.assign(status="crashed"))
    got = divergence_entry(Measured(frames, "sds"), "sdi")
    assert (got.mean, got.text, got.note, got.low) == (None, "0/0", "3 crashed", None)


def test_divergence_has_wilsons_interval_and_notes_more_starts(make_frames):
    """The published counts of SDS: 8 of 43 is 18.6 % [9.7, 32.6]."""
    prompts = {f"p{index}": f"object {index}" for index in range(43)}
    frames = make_frames(prompts=prompts, views=1, statuses={("sds", f"p{index}"): "empty" for index in range(8)})
    attempts = frames.cells["attempts"].where(frames.cells["cell"] != "sds-p9-0", 3)
    measured = Measured(dataclasses.replace(frames, cells=frames.cells.assign(attempts=attempts)), "sds")
    got = divergence_entry(measured, "sds")
    assert (round(got.mean, 1), round(got.low, 1), round(got.high, 1)) == (18.6, 9.7, 32.6)
    assert (got.text, got.note) == ("8/43", "2 more starts")
    assert "More starts: cells were started again" in " ".join(summary_table(measured, []).caption)
    never = Measured(frames, "sds")
    assert "ore start" not in " ".join([divergence_entry(never, "sds").note, *summary_table(never, []).caption])


def test_cost_is_of_completed_cells_in_the_columns_unit(make_frames):
    frames = make_frames(statuses={("sdi", "mug"): "nan"})
    ours = frames.cells.query("method == 'sdi' and status == 'completed'")
    time, memory = (entry(summary_table(Measured(frames, "sds"), []), "sdi", key) for key in ("time", "memory"))
    assert (time.mean, time.n) == (pytest.approx(statistics.fmean(ours["optimise_seconds"])), 2)
    assert (memory.mean, memory.note) == (pytest.approx(statistics.fmean(ours["peak_bytes"]) / 1e9), "")
    long = dataclasses.replace(frames, cells=frames.cells.assign(optimise_seconds=7140.0))
    assert entry(summary_table(Measured(long, "sds"), []), "sdi", "time").mean == 119.0  # minutes, as in the paper


def test_the_kind_of_memory_is_printed(make_frames):
    frames = make_frames(views=1)
    assert "memory (rss)" in [column.title for column in summary_table(Measured(frames, "sds"), []).columns]
    mixed = frames.cells["peak_kind"].where(frames.cells["method"] == "sds", "cuda")
    frames = dataclasses.replace(frames, cells=frames.cells.assign(peak_kind=mixed))
    assert "memory" in [column.title for column in summary_table(Measured(frames, "sds"), []).columns]
    assert [entry(summary_table(Measured(frames, "sds"), []), method, "memory").note for method in ("sds", "sdi")] == [
        "rss",
        "cuda",
    ]


def test_one_prompt_has_no_spread(make_frames):
    got = entry(summary_table(Measured(make_frames(prompts={"mug": "a mug"}), "sds"), []), "sdi", "clip_score")
    assert got.sd is None
    assert got.n == 1


def test_the_caption_says_how_many_prompts_are_common_and_ends_in_the_notes(make_frames):
    frames = make_frames(statuses={("sds", "mug"): "empty"})
    caption = summary_table(Measured(frames, "sds"), ["Toy scorers."]).caption
    common = "Prompts that every method completed: 2 of 3, of those that were run;"
    assert any(sentence.startswith(common) for sentence in caption)
    assert any("blank control was not scored" in sentence for sentence in caption)
    assert caption[-1] == "Toy scorers."
    caption = summary_table(Measured(make_frames(), "sds"), []).caption
    assert caption[-1] == "Every method completed all 3 prompts that were run."
    assert not any("blank control" in sentence for sentence in caption)


def test_all_diverged_is_a_table_of_gaps(make_frames):
    frames = make_frames()
    measured = Measured(dataclasses.replace(frames, cells=frames.cells.assign(status="empty")), "sds")
    table = summary_table(measured, [])
    assert entry(table, "sds", "clip_score").mean is None
    assert entry(table, "sds", "divergence").text == "3/3"
    assert common_table(measured, []) is None


def test_tables_that_would_be_equal_are_left_out(make_frames):
    measured = Measured(make_frames(), "sds")
    assert common_table(measured, []) is None
    assert all_prompts_table(measured, []) is None


def test_means_have_the_bootstraps_interval_from_six_prompts_on(make_frames):
    measured = Measured(make_frames(prompts=MANY, views=2, statuses={("sds", "p1"): "nan"}), "sds")
    got = entry(summary_table(measured, []), "sds", "clip_score")
    scores = measured.frames.scores.query("method == 'sds' and metric == 'clip_score' and prompt_id != 'p1'")
    expected = prompt_bootstrap(scores.groupby("prompt_id", sort=False)["value"].mean().to_numpy(), 0)
    assert (got.low, got.high) == pytest.approx((expected.interval.low, expected.interval.high))
    assert got.cells == tuple(f"sds-p{index}-0" for index in range(8) if index != 1)
    few = entry(summary_table(Measured(make_frames(), "sds"), []), "sds", "clip_score")
    assert (few.low, few.high, few.group) == (None, None, None)
    assert few.why == "3 prompts, at least 6 are needed"
    caption = " ".join(summary_table(Measured(make_frames(), "sds"), []).caption)
    assert "from 6 prompts on" in caption
    assert "distinguished from the best" not in caption


@pytest.mark.parametrize(
    ("methods", "said"),
    [
        (("sds", "sdi"), ["no two methods can be distinguished"]),
        (("sds", "sdi", "ism", "vsd", "csd"), ["No score has a ranking: even if all prompts agreed"]),
        (("sds",), []),
    ],
)
def test_why_no_method_is_better_is_said(make_frames, methods, said):
    """Eight prompts that agree have p = 2 / 2⁸, and ten pairs of five methods ten times that."""
    caption = " ".join(summary_table(Measured(make_frames(methods=methods, prompts=MANY), "sds"), []).caption)
    all_said = ["no two methods can be distinguished", "No score has a ranking: even if all prompts agreed"]
    assert [each for each in all_said if each in caption] == said


def test_why_some_scores_have_no_ranking_is_said_of_them(make_frames):
    """Where methods differ in two prompts alone no test can tell them apart; a copy of a method ties in all."""
    frames = make_frames(methods=("sds", "sdi"), prompts=MANY)
    values = frames.scores.set_index(["method", "prompt_id", "view", "metric"])["value"]
    for prompt, view, metric in values.loc["sds"].index:
        if (metric == "quality" and prompt not in ("p0", "p1")) or metric == "clip_score":
            values["sdi", prompt, view, metric] = values["sds", prompt, view, metric]
    frames.scores["value"] = values.to_numpy()
    caption = summary_table(Measured(frames, "sds"), []).caption
    [few] = [sentence for sentence in caption if "even if all prompts agreed" in sentence]
    assert few.startswith("No ranking of quality")
    assert "CLIP:" not in few
    assert few.keys[0] == "quality"
    assert [each for each in caption if each.startswith("In the other scores no two methods")]


def test_controls_are_below_in_their_order_and_never_ranked(make_frames):
    frames = with_controls(make_frames(prompts=MANY, views=2), {"blank": 80.0, "noise": 90.0})
    table = summary_table(Measured(frames, "sds"), [])
    assert [(row.label, bool(row.part)) for row in table.rows] == [
        ("sds", False),
        ("sdi", False),
        ("blank image", True),
        ("pixel noise", True),
    ]
    got = entry(table, "blank image", "clip_score")
    assert (got.mean, got.n, got.group) == (pytest.approx(80.0 + 3.5), 8, None)
    assert entry(table, "blank image", "clip_top1").mean == pytest.approx(8350.0)  # as the metric is scaled
    assert entry(table, "blank image", "divergence").mean is None
    assert entry(table, "sds", "clip_score").group == 0  # although both controls score higher


def test_diverged_cells_score_as_blank_and_failed_ones_do_not(make_frames):
    statuses = {("sds", "p1"): "nan", ("sds", "p2"): "oom"}
    frames = with_controls(make_frames(prompts=MANY, views=2, statuses=statuses), {"blank": -5.0})
    measured = Measured(frames, "sds")
    table = all_prompts_table(measured, [])
    completed, imputed = (entry(each, "sds", "clip_score") for each in (summary_table(measured, []), table))
    assert (completed.n, imputed.n) == (6, 7)
    assert imputed.mean == pytest.approx((6 * completed.mean + (-5.0 + 1)) / 7)  # the control of p1
    assert "time" not in [column.key for column in table.columns]


def test_energy_is_a_column_if_it_is_known(make_frames):
    frames = make_frames(views=1)
    assert "energy" not in [column.key for column in summary_table(Measured(frames, "sds"), []).columns]
    frames = dataclasses.replace(frames, cells=frames.cells.assign(energy_joules=2500.0, unet_rows=12_000))
    table = summary_table(Measured(frames, "sds"), [])
    assert (entry(table, "sds", "energy").mean, entry(table, "sds", "unet_rows").mean) == (2.5, 12.0)


def test_metric_cards_are_footnotes(make_frames):
    (footnote,) = summary_table(Measured(make_frames(), "sds"), []).footnotes
    assert footnote == (
        "quality, sharpness (%, higher is better): toy; weights SHA-256 abababababab; "
        "uint8 RGB to 32 pixels; version 2."
    )

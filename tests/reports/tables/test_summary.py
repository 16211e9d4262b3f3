import dataclasses
import math
import statistics

import pytest

from reports.summary import common_table, divergence_entry, summary_table


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


@pytest.mark.parametrize(("metric", "scale"), [("clip_score", 1), ("clip_top1", 100), ("janus", 100)])
@pytest.mark.parametrize("method", ["sds", "sdi"])
def test_means_and_sd_are_those_computed_by_hand(make_frames, method, metric, scale):
    frames = make_frames(seeds=(0, 1), statuses={("sds", "mug"): "empty"})
    got = entry(summary_table(frames, []), method, metric)
    mean, sd, n = by_hand(frames, method, metric, scale, frames.prompts)
    assert (got.mean, got.sd, got.n) == (pytest.approx(mean), pytest.approx(sd), n)
    got = entry(common_table(frames, []), method, metric)
    mean, sd, n = by_hand(frames, method, metric, scale, ["red-car", "blue-duck"])
    assert (got.mean, got.sd, got.n) == (pytest.approx(mean), pytest.approx(sd), n)


def test_columns_are_the_papers_then_the_ground_truths(make_frames):
    keys = [column.key for column in summary_table(make_frames(), []).columns]
    scores = ["clip_score", "quality", "sharpness", "image_reward", "clip_top1"]
    assert keys == [*scores, "divergence", "time", "memory", "psnr", "janus"]


def test_a_metric_without_scores_leaves_a_gap_not_a_number(make_frames):
    frames = make_frames()
    frames = dataclasses.replace(frames, scores=frames.scores[frames.scores["metric"] != "psnr"])
    got = entry(summary_table(frames, []), "sds", "psnr")
    assert (got.mean, got.sd, got.n) == (None, None, 0)


def test_failures_of_the_run_are_neither_divergence_nor_in_its_count(make_frames):
    statuses = {("sds", "red-car"): "opaque", ("sds", "mug"): "oom"}
    got = entry(summary_table(make_frames(statuses=statuses), []), "sds", "divergence")
    assert (got.mean, got.text, got.note) == (50.0, "1/2", "1 oom")


@pytest.mark.parametrize("status", ["nan", "empty", "opaque", "frozen"])
def test_every_kind_of_divergence_counts(make_frames, status):
    frames = make_frames()
    got = divergence_entry(frames.cells.assign(status=status))
    assert (got.mean, got.text, got.note) == (100.0, "6/6", "")


def test_only_failures_give_no_share_at_all(make_frames):
    got = divergence_entry(make_frames().cells.assign(status="crashed"))
    assert (got.mean, got.text, got.note) == (None, "0/0", "6 crashed")


def test_cost_is_of_completed_cells_in_the_columns_unit(make_frames):
    frames = make_frames(statuses={("sdi", "mug"): "nan"})
    ours = frames.cells.query("method == 'sdi' and status == 'completed'")
    time, memory = (entry(summary_table(frames, []), "sdi", key) for key in ("time", "memory"))
    assert (time.mean, time.n) == (pytest.approx(statistics.fmean(ours["optimise_seconds"])), 2)
    assert (memory.mean, memory.note) == (pytest.approx(statistics.fmean(ours["peak_bytes"]) / 1e9), "")
    long = dataclasses.replace(frames, cells=frames.cells.assign(optimise_seconds=7140.0))
    assert entry(summary_table(long, []), "sdi", "time").mean == 119.0  # minutes, as in the paper


def test_memory_says_what_it_counts(make_frames):
    frames = make_frames(views=1)
    assert "memory (rss)" in [column.title for column in summary_table(frames, []).columns]
    mixed = frames.cells["peak_kind"].where(frames.cells["method"] == "sds", "cuda")
    frames = dataclasses.replace(frames, cells=frames.cells.assign(peak_kind=mixed))
    assert "memory" in [column.title for column in summary_table(frames, []).columns]
    assert [entry(summary_table(frames, []), method, "memory").note for method in ("sds", "sdi")] == ["rss", "cuda"]


def test_one_prompt_has_no_spread(make_frames):
    got = entry(summary_table(make_frames(prompts={"mug": "a mug"}), []), "sdi", "clip_score")
    assert got.sd is None
    assert got.n == 1


def test_the_caption_names_common_prompts_and_why_others_are_not(make_frames):
    frames = make_frames(statuses={("sds", "mug"): "empty"})
    frames = dataclasses.replace(frames, cells=frames.cells[frames.cells["cell"] != "sdi-blue-duck-0"])
    caption = " ".join(summary_table(frames, ["Toy scorers."]).caption)
    assert "Prompts completed by every method: 1 of 3: red-car." in caption
    assert "Not common: blue-duck (sdi not run); mug (sds empty)." in caption
    assert caption.endswith("Toy scorers.")


def test_all_diverged_is_a_table_of_gaps(make_frames):
    frames = make_frames()
    frames = dataclasses.replace(frames, cells=frames.cells.assign(status="empty"))
    for table in (summary_table(frames, []), common_table(frames, [])):
        assert entry(table, "sds", "clip_score").mean is None
        assert entry(table, "sds", "divergence").text == "3/3"

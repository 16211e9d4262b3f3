"""Measured numbers next to published ones."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from reports.published import load_published
from reports.statistics import newcombe_interval
from reports.tables import Measured
from reports.tables.published import published_table

PROMPTS = {f"p{index}": f"object {index}" for index in range(43)}


@pytest.fixture(scope="module")
def like_the_paper(make_frames):
    """43 prompts of SDS and SDI whose CLIP scores have given means and SDs, and SDS's published divergence."""

    def make(clip_mean=29.81, clip_sd=2.0, steps=10_000, prompts=PROMPTS, seeds=(0,), **changes):
        statuses = {("sds", prompt): "empty" for prompt in list(prompts)[:8]}
        frames = make_frames(prompts=prompts, views=1, statuses=statuses, seeds=seeds)
        scores, completed = frames.scores, frames.cells.query("status == 'completed'")["cell"]
        own = (scores["metric"] == "clip_score") & scores["cell"].isin(completed)
        for method, mean in (("sds", clip_mean), ("sdi", 33.47)):
            rows = own & (scores["method"] == method)
            draws = np.random.default_rng(0).normal(size=rows.sum())
            scores.loc[rows, "value"] = mean + clip_sd * (draws - draws.mean()) / draws.std(ddof=1)
        cells = frames.cells.assign(**({"steps": steps, "optimise_seconds": 3960.0, "peak_bytes": 6.2e9} | changes))
        units = frames.metric_columns.assign(unit=["100·cos", "%", "%", "", "%", "dB", "%"])
        return Measured(dataclasses.replace(frames, cells=cells, metric_columns=units), "sds")

    return make


def of_sdi(name):
    """A published table whose rows of the released code speak to the arm ``sdi``, which the frames have."""
    published = load_published(name)
    moved = {
        title: row.model_copy(update={"labels": ("sdi",)}) if "sdi-code" in row.labels else row
        for title, row in published.rows.items()
    }
    return published.model_copy(update={"rows": moved})


def rows(table, part):
    keys = [column.key for column in table.columns]
    return {row.label: dict(zip(keys, row.entries, strict=True)) for row in table.rows if row.part == part}


def test_the_published_row_is_next_to_the_measured_one(like_the_paper):
    table = published_table(like_the_paper(), load_published("table1"), ["A note."])
    sds = rows(table, "SDS")
    assert list(sds) == ["published", "measured", "difference"]
    published, measured = sds["published"], sds["measured"]
    assert (published["clip_score"].mean, published["clip_score"].sd) == (29.81, 2.49)
    assert (measured["clip_score"].mean, measured["clip_score"].n) == (pytest.approx(29.81), 35)
    assert (measured["time"].mean, measured["memory"].mean) == (pytest.approx(66.0), pytest.approx(6.2))
    assert (published["divergence"].text, measured["divergence"].text) == ("8/43", "8/43")
    assert list(rows(table, "VSD")) == ["published"]  # which the study did not run
    assert [column.title for column in table.columns][:2] == ["CLIP", "Quality"]
    assert table.caption[-1] == "A note."
    assert "NeurIPS 2024" in table.caption[0]


@pytest.mark.parametrize(("mean", "verdict"), [(29.81, "consistent"), (30.5, "consistent"), (32.0, "differs")])
def test_verdict_is_by_welchs_interval_widened_by_rounding(like_the_paper, mean, verdict):
    measured = like_the_paper(mean)
    got = rows(published_table(measured, load_published("table1"), []), "SDS")["difference"]["clip_score"]
    ours = measured.scores("clip_score").method("sds")[8:, 0]
    draws = np.random.default_rng(1).normal(size=35)  # the 35 prompts that did not diverge
    theirs = 29.81 + (2.49 + 0.005) * (draws - draws.mean()) / draws.std(ddof=1)
    expected = stats.ttest_ind(ours, theirs, equal_var=False).confidence_interval()
    assert (got.low, got.high) == pytest.approx((expected.low - 0.005, expected.high + 0.005))
    assert (got.mean, got.text) == (pytest.approx(mean - 29.81, abs=1e-9), verdict)


def test_divergence_is_compared_as_counts_and_counts_out_of_memory_as_the_paper_does(like_the_paper):
    measured = like_the_paper()
    status = measured.frames.cells["status"].where(measured.frames.cells["cell"] != "sdi-p0-0", "oom")
    cells = measured.frames.cells.assign(status=status)
    measured = Measured(dataclasses.replace(measured.frames, cells=cells), "sds")
    sdi = rows(published_table(measured, load_published("table1"), []), "SDI")
    assert sdi["measured"]["divergence"].text == "1/43"
    expected = newcombe_interval((1, 43), (2, 43))
    got = sdi["difference"]["divergence"]
    assert (got.low, got.high, got.text) == (100 * expected.low, 100 * expected.high, "consistent")


def test_without_a_spread_prompts_or_the_same_steps_there_is_no_verdict(like_the_paper):
    def difference(measured, name, part, key):
        got = rows(published_table(measured, of_sdi(name) if name == "mv_sdi" else load_published(name), []), part)[
            "difference"
        ][key]
        assert (got.low, got.text) == (None, "cannot tell")
        return got.why

    assert difference(like_the_paper(), "table1", "SDS", "time") == "no spread is printed"
    assert difference(like_the_paper(), "mv_sdi", "SDI (MV-SDI)", "clip_score") == "no spread is printed"
    measured = like_the_paper(steps=5000)
    assert difference(measured, "table2", "SDI", "clip_score") == "the number of prompts is not given"
    assert difference(measured, "table1", "SDS", "clip_score") == "5 000 steps, published 10 000"
    few = like_the_paper(prompts=dict(list(PROMPTS.items())[:13]))
    assert difference(few, "table1", "SDS", "clip_score") == "5 prompts measured, at least 6 are needed"
    caption = " ".join(published_table(measured, load_published("table1"), []).caption)
    assert "Not compared: sds ran 5 000 steps, published 10 000; sdi ran 5 000 steps, published 10 000." in caption


def test_another_unit_or_definition_is_not_compared(like_the_paper):
    measured = like_the_paper()
    units = measured.frames.metric_columns.assign(unit="points")
    other = Measured(dataclasses.replace(measured.frames, metric_columns=units), "sds")
    got = rows(published_table(other, load_published("table1"), []), "SDS")
    assert got["measured"]["clip_score"].why == "measured in 'points', published in '100·cos'"
    assert (got["measured"]["clip_score"].mean, got["difference"]["clip_score"].mean) == (None, None)
    got = rows(published_table(measured, of_sdi("mv_sdi"), []), "SDI (MV-SDI)")
    assert got["measured"]["quality"].why == "another backbone, CLIP ViT-B/16 at 224 pixels"
    assert got["published"]["clip_score"].mean == pytest.approx(29.7)  # printed as 0.297
    assert got["difference"]["quality"].text == ""


def test_several_seeds_are_not_compared_as_counts(like_the_paper):
    measured = like_the_paper(prompts=dict(list(PROMPTS.items())[:20]), seeds=(0, 1))
    got = rows(published_table(measured, load_published("table1"), []), "SDS")["difference"]["divergence"]
    assert (got.text, got.why) == ("cannot tell", "the paper has one run per prompt, this study several")


def test_two_arms_of_one_method_have_rows_of_their_own(make_frames):
    frames = make_frames(methods=("sdi", "sdi-code"), views=1)
    assert list(rows(published_table(Measured(frames, "sdi"), load_published("table1"), []), "SDI")) == [
        "published",
        "measured (sdi)",
        "difference (sdi)",
        "measured (sdi-code)",
        "difference (sdi-code)",
    ]

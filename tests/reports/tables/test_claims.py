"""The table of the papers' claims: the difference of two arms, its test, and the verdict on what a paper says."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy import stats

from reports.claim import Claim
from reports.frames import ReportError
from reports.statistics import StudyScores, compare_to_baseline
from reports.table import TableColumn
from reports.tables import Measured
from reports.tables.claims import agreement, claims_table
from reports.tables.differences import comparisons_table

MANY = {f"p{index}": f"object {index}" for index in range(9)}
CLAIM = Claim("B", "better than ism", "sdi", "ism", "psnr")


def test_a_row_has_the_means_the_paired_difference_and_scipy_s_p(make_frames):
    frames = make_frames(methods=("sds", "sdi", "ism"), prompts=MANY)
    rows = claims_table(Measured(frames, "sds"), [CLAIM], []).rows
    assert [(row.label, row.part) for row in rows] == [("sdi − ism", "B")]
    claim, _, score, arm, against, difference, p, p_holm, detectable = rows[0].entries
    assert (claim.text, score.text) == ("better than ism", "PSNR dB ↑")
    means = frames.scores[frames.scores["metric"] == "psnr"].groupby(["method", "prompt_id"])["value"].mean().unstack(0)
    assert (arm.mean, against.mean) == (pytest.approx(means["sdi"].mean()), pytest.approx(means["ism"].mean()))
    apart = (means["sdi"] - means["ism"]).to_numpy()
    assert (difference.mean, difference.n) == (pytest.approx(apart.mean()), 9)
    expected = stats.permutation_test((apart,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert p.mean == pytest.approx(expected.pvalue)
    assert p_holm.mean == p.mean  # of one claim
    assert set(difference.cells) == {f"{method}-{prompt}-0" for method in ("sdi", "ism") for prompt in MANY}
    assert detectable.mean > 0


def test_it_agrees_with_the_table_of_comparisons_where_the_other_is_the_baseline(make_frames):
    measured = Measured(make_frames(methods=("sds", "sdi"), prompts=MANY), "sds")
    claims = [Claim("A", "better", "sdi", "sds", name) for name in ("clip_score", "quality", "extra_faces")]
    table = claims_table(measured, claims, [])
    others = {row.part: row.entries for row in comparisons_table(measured, []).rows}
    for row in table.rows:
        _, _, score, _, _, difference, p, _, detectable = row.entries
        theirs = others[score.text]
        assert (difference, p.mean, detectable.mean) == (replace(theirs[0], text=""), theirs[2].mean, theirs[6].mean)


def test_all_claims_are_one_family_for_holm_and_a_paper_s_claims_are_adjacent(make_frames):
    frames = make_frames(methods=("sds", "sdi", "ism"), prompts=MANY)
    scores = ("psnr", "quality", "psnr")
    claims = [Claim(paper, "better", "sdi", "ism", metric) for paper, metric in zip("ABA", scores, strict=True)]
    table = claims_table(Measured(frames, "sds"), claims, ["A note."])
    assert [row.part for row in table.rows] == ["A", "A", "B"]
    plain, corrected = ([row.entries[index].mean for row in table.rows] for index in (6, 7))
    order = np.argsort(plain)
    steps = np.maximum.accumulate(np.minimum(1, np.array(plain)[order] * [3, 2, 1]))
    assert np.array(corrected)[order] == pytest.approx(steps)
    assert table.caption[-1] == "A note."


@pytest.mark.parametrize(
    ("expects", "shift", "prompts", "words"),
    [
        ("better", 3.0, 12, "yes"),
        ("better", -3.0, 12, "no"),
        ("better", 0.05, 12, "cannot tell"),
        ("better", 3.0, 5, "cannot tell"),
        ("level", 3.0, 12, "yes"),
        ("level", -3.0, 12, "no"),
        ("level", 0.05, 12, "no difference seen"),
        ("level", 0.0, 1, "cannot tell"),
    ],
)
def test_the_verdict_follows_the_claim_the_difference_and_the_prompts(expects, shift, prompts, words):
    rng = np.random.default_rng(2)
    base = rng.normal(30, 2, prompts)
    means = np.stack([base + shift + rng.normal(0, 1, prompts), base])[..., None]
    scores = StudyScores(("sdi", "ism"), tuple(f"p{i}" for i in range(prompts)), (0,), means)
    (comparison,) = compare_to_baseline(scores, "ism", 0)
    claim = replace(CLAIM, expects=expects)
    assert agreement(claim, comparison, TableColumn("psnr", "PSNR", direction="up")) == words
    turned = {"yes": "no", "no": "yes"}.get(words, words)
    assert agreement(claim, comparison, TableColumn("psnr", "PSNR", direction="down")) == turned


def test_the_difference_of_a_score_with_a_target_is_that_of_the_distances(make_frames):
    frames = make_frames(methods=("sds", "sdi"), prompts=MANY)
    columns = frames.metric_columns
    row = columns["metric"] == "psnr"
    columns.loc[row, ["direction", "mean"]] = ["target", "geometric"]
    columns["target"] = np.where(row, 20.0, np.nan)
    (row,) = claims_table(Measured(frames, "sds"), [Claim("A", "nearer", "sdi", "sds", "psnr")], []).rows
    means = frames.scores[frames.scores["metric"] == "psnr"].groupby(["method", "prompt_id"])["value"].mean().unstack(0)
    octaves = np.abs(np.log2(means / 20))
    assert row.entries[5].mean == pytest.approx((octaves["sdi"] - octaves["sds"]).mean())
    assert row.entries[3].mean == pytest.approx(20 * 2 ** np.log2(means["sdi"] / 20).mean())


def test_without_claims_there_is_no_table_and_unknown_names_are_refused(make_frames):
    measured = Measured(make_frames(methods=("sds", "sdi", "ism")), "sds")
    assert claims_table(measured, [], []) is None
    with pytest.raises(ReportError, match=r"claim 'better than ism' of B: 'psnrr' is not one of the scores clip_score"):
        claims_table(measured, [replace(CLAIM, metric="psnrr")], [])
    with pytest.raises(ReportError, match=r"method 'vsd' is not one of sds, sdi, ism"):
        claims_table(measured, [replace(CLAIM, against="vsd")], [])
    columns = measured.frames.metric_columns
    columns.loc[columns["metric"] == "psnr", "direction"] = None
    with pytest.raises(ReportError, match=r"claim 'better than ism' of B: 'psnr' has no better direction"):
        claims_table(measured, [CLAIM], [])


def test_the_two_means_are_those_of_the_pairs(make_frames):
    """An arm that lost its hardest prompts would else have a mean that contradicts the difference."""
    lost = {("ism", prompt): "nan" for prompt in list(MANY)[:2]}
    frames = make_frames(methods=("sds", "sdi", "ism"), prompts=MANY, statuses=lost)
    [row] = claims_table(Measured(frames, "sds"), [CLAIM], []).rows
    _, _, _, arm, against, difference, *_ = row.entries
    assert difference.n == 7
    assert arm.mean - against.mean == pytest.approx(difference.mean)

"""From a study's frames to comparisons, rank groups and imputed scores."""

import numpy as np
import pandas as pd
import pytest

from reports import ReportError
from reports.means import asset_means
from reports.statistics import (
    StudyScores,
    compare_to_baseline,
    minimum_detectable_difference,
    paired_differences,
    prompt_bootstrap,
    rank_groups,
    sign_flip_test,
    with_blank_for_diverged,
)
from reports.statistics.rank_groups import _groups

NAN = float("nan")
PROMPTS = {f"p{index}": f"object {index}" for index in range(8)}


def scores(**values):
    arrays = np.stack([np.asarray(each, dtype=float).reshape(len(each), -1) for each in values.values()])
    return StudyScores(
        tuple(values), tuple(f"p{i}" for i in range(arrays.shape[1])), tuple(range(arrays.shape[2])), arrays
    )


def test_layout_is_that_of_the_reports_means(make_frames):
    frames = make_frames(methods=("sdi", "sds"), seeds=(3, 1), views=2, statuses={("sds", "mug"): "empty"})
    assets = asset_means(frames)
    study = StudyScores.of(assets, frames.cells, "clip_top1")
    assert (study.methods, study.prompts, study.seeds) == (("sdi", "sds"), ("red-car", "blue-duck", "mug"), (3, 1))
    for row in assets[assets["metric"] == "clip_top1"].itertuples():
        at = study.prompts.index(row.prompt_id), study.seeds.index(row.seed)
        assert study.method(row.method)[at] == row.value
    assert np.isnan(study.method("sds")[2]).all()
    assert np.isnan(study.means).sum() == 2
    with pytest.raises(ReportError, match="method 'nfsd' is not one of sdi, sds"):
        study.method("nfsd")
    with pytest.raises(ReportError, match="occurs twice"):
        StudyScores.of(pd.concat([assets, assets.iloc[:1]]), frames.cells, str(assets["metric"].iloc[0]))


def test_diverged_cells_score_as_the_blank_control_and_failed_ones_not_at_all(make_frames):
    statuses = {("sds", "p1"): "nan", ("sds", "p2"): "oom", ("sdi", "p4"): "opaque"}
    frames = make_frames(prompts=PROMPTS, seeds=(0, 1), views=1, statuses=statuses)
    before = StudyScores.of(asset_means(frames), frames.cells, "clip_score")
    ended = StudyScores.divergence(frames.cells)
    after = with_blank_for_diverged(before, ended, {prompt: index / 10 for index, prompt in enumerate(PROMPTS)})
    assert after.method("sds")[1].tolist() == [0.1, 0.1]
    assert after.method("sdi")[4].tolist() == [0.4, 0.4]
    assert np.isnan(after.method("sds")[2]).all()
    assert np.isnan(ended.method("sds")[2]).all()
    kept = ~np.isnan(before.means)
    assert (after.means[kept] == before.means[kept]).all()
    assert (np.isnan(after.means).sum(), np.nansum(ended.means)) == (2, 4)
    with pytest.raises(ReportError, match="prompt 'p4' has a diverged cell but no score"):
        with_blank_for_diverged(before, ended, {"p1": 0.0})
    with pytest.raises(ReportError, match="same methods"):
        with_blank_for_diverged(before, ended.of_prompts(["p1"]), {})


def test_without_a_completed_cell_a_comparison_has_reasons(make_frames):
    statuses = {("sds", prompt): "empty" for prompt in PROMPTS}
    frames = make_frames(prompts=PROMPTS, views=1, statuses=statuses)
    study = StudyScores.of(asset_means(frames), frames.cells, "clip_score")
    (got,) = compare_to_baseline(study, "sds", 0)
    assert (got.difference.value, got.difference.n, got.test.p, got.p_holm) == (None, 0, None, None)
    assert (got.effect_size, got.detectable, got.improvement.value) == (None, None, None)
    assert got.difference.interval.reason == got.test.reason == "no prompt has a value"
    assert rank_groups(study, 0) == [("sdi",)]


def test_a_comparison_has_all_statistics():
    rng = np.random.default_rng(0)
    base = rng.normal(30, 2.4, (20, 2))
    study = scores(sds=base, sdi=base + rng.normal(2, 1, (20, 2)), twin=base.copy(), odd=base + 0.01, half=base * 0.99)
    sdi, twin, odd, half = compare_to_baseline(study, "sds", 5)
    differences = study.method("sdi") - base
    means = differences.mean(axis=1)
    assert sdi.difference == prompt_bootstrap(differences, 5)
    assert sdi.test == sign_flip_test(differences, 5)
    assert sdi.effect_size == pytest.approx(means.mean() / means.std(ddof=1))
    assert sdi.detectable == minimum_detectable_difference(means.std(ddof=1), 20)
    assert sdi.improvement.value == pytest.approx((differences > 0).mean())
    assert sdi.p_holm == pytest.approx(3 * sdi.test.p)  # of three tests, because the twin's has no p
    assert (twin.difference.value, twin.test.reason, twin.p_holm) == (0.0, "all prompts are tied", None)
    assert (twin.improvement.value, twin.improvement.interval.known) == (0.5, False)
    assert (odd.difference.interval.known, odd.effect_size, odd.detectable) == (False, None, None)
    assert half.improvement.value == 0.0
    (lower, *_) = compare_to_baseline(study, "sds", 5, higher_is_better=False)
    assert lower.improvement.value == pytest.approx(1 - sdi.improvement.value)
    (neither, *_) = compare_to_baseline(study, "sds", 5, higher_is_better=None)
    assert neither.improvement is None


def test_ties_within_round_off_are_ties():
    ours = [0.1 + 0.2, 30.0, NAN, 5.0, 0.0]
    differences = paired_differences(ours, [0.3, 30.0, 1.0, 4.0, 0.0])
    assert differences[[0, 1, 3, 4]].tolist() == [0.0, 0.0, 1.0, 0.0]
    assert np.isnan(differences[2])
    with pytest.raises(ValueError, match="shapes"):
        paired_differences([1.0], [1.0, 2.0])


def test_equal_methods_seldom_form_two_groups():
    rng, split = np.random.default_rng(1), 0
    for _ in range(120):
        shared = rng.normal(30, 1.7, 43)
        study = scores(**{name: shared + rng.normal(0, 1.7, 43) for name in "abcd"})
        split += len(rank_groups(study, int(rng.integers(2**31)))) > 1
    assert split / 120 <= 0.1  # 5 % and 2.5 standard errors; about 20 % without Holm's correction


def test_groups_follow_the_gaps():
    rng = np.random.default_rng(2)
    prompts = rng.normal(30, 2, 43)
    study = scores(
        worst=prompts - 4 + rng.normal(0, 1, 43),
        good=prompts + 0.05 + rng.normal(0, 1, 43),
        lost=np.full(43, NAN),
        best=prompts + 0.2 + rng.normal(0, 1, 43),
    )
    groups = rank_groups(study, 0)
    assert [set(group) for group in groups] == [{"good", "best"}, {"worst"}]
    assert [set(group) for group in rank_groups(study, 0, higher_is_better=False)] == [
        {"worst"},
        {"good", "best"},
    ]
    means = {name: study.method(name).mean() for name in groups[0]}
    assert means[groups[0][0]] >= means[groups[0][1]]


def test_with_few_prompts_all_share_a_group():
    assert rank_groups(scores(a=[1.0, 2.0, 3.0], b=[11.0, 12.0, 13.5]), 0) == [("b", "a")]


def test_two_methods_share_a_group_exactly_if_they_are_not_apart():
    rng, names = np.random.default_rng(3), list("abcdef")
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    for _ in range(100):
        apart = [pair for pair in pairs if rng.uniform() < rng.uniform()]
        groups = _groups(names, apart)
        together = {(a, b) for group in groups for a in group for b in group if a < b}
        assert together == set(pairs) - set(apart)
        assert {name for group in groups for name in group} == set(names)
        assert not any(set(one) < set(other) for one in groups for other in groups)
    assert _groups(list("abc"), [("a", "c")]) == [("a", "b"), ("b", "c")]


def test_many_methods_leave_enough_sign_vectors_for_all_pairs():
    """The p of one of 253 pairs can pass Holm's correction where all sixteen prompts agree, whatever the seed."""
    rng = np.random.default_rng(0)
    prompts = rng.normal(30, 1, 16)
    study = scores(**{f"m{i:02}": prompts + rng.normal(0, 0.1, 16) + 5.0 * (i < 11) for i in range(23)})
    upper = set(study.methods[:11])
    for seed in range(3):
        groups = rank_groups(study, seed)
        assert all(set(group) <= upper or upper.isdisjoint(group) for group in groups)

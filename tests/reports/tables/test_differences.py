import statistics

import numpy as np
import pytest

from reports.statistics import StudyScores, compare_to_baseline
from reports.table import TableColumn
from reports.tables import Measured
from reports.tables.differences import comparisons_table, differences_table, verdict
from reports.tables.measured import compared_scores

MANY = {f"p{index}": f"object {index}" for index in range(8)}


def test_differences_are_paired_by_prompt_and_seed(make_frames):
    frames = make_frames(methods=("sds", "sdi", "ism"), seeds=(0, 1), statuses={("sds", "mug"): "nan"})
    table = differences_table(Measured(frames, "sds"), [])
    assert [row.label for row in table.rows] == ["sdi", "ism"]
    for row in table.rows:
        for column, got in zip(table.columns, row.entries, strict=True):
            scale = float(frames.metric_columns.set_index("metric").loc[column.key, "scale"])
            asset = (
                frames.scores[frames.scores["metric"] == column.key]
                .groupby(["method", "prompt_id", "seed"])["value"]
                .mean()
            )
            expected = [
                statistics.fmean(scale * (asset[row.label, p, s] - asset["sds", p, s]) for s in (0, 1))
                for p in ("red-car", "blue-duck")  # the baseline has no mug
            ]
            assert (got.mean, got.n) == (pytest.approx(statistics.fmean(expected)), 2)
            assert (got.text, got.low) == ("cannot tell", None)
            assert set(got.cells) == {
                f"{m}-{p}-{s}" for m in ("sds", row.label) for p in ("red-car", "blue-duck") for s in (0, 1)
            }


def test_a_method_ties_with_its_copy(make_frames):
    frames = make_frames(methods=("sds", "twin"), prompts=MANY, views=2)
    scores = frames.scores
    scores.loc[scores["method"] == "twin", "value"] = scores.loc[scores["method"] == "sds", "value"].to_numpy()
    measured = Measured(frames, "sds")
    (row,) = differences_table(measured, []).rows
    assert all((got.mean, got.low, got.text) == (0.0, None, "cannot tell") for got in row.entries)
    for row in comparisons_table(measured, []).rows:
        difference, words, p, _, effect, improvement, detectable, decided = row.entries
        assert decided.text == ""
        assert (difference.mean, words.text, p.mean, effect.mean) == (0.0, "cannot tell", None, None)
        assert (p.why, improvement.mean, detectable.mean) == ("all prompts are tied", 50.0, None)


def test_without_pairs_there_is_no_difference(make_frames):
    statuses = {("sds", prompt): "empty" for prompt in ("red-car", "blue-duck", "mug")}
    (row,) = differences_table(Measured(make_frames(statuses=statuses), "sds"), []).rows
    assert all((got.mean, got.sd, got.n, got.text) == (None, None, 0, "cannot tell") for got in row.entries)


def test_a_study_of_one_method_has_no_differences(make_frames):
    measured = Measured(make_frames(methods=("sds",)), "sds")
    assert differences_table(measured, []) is None
    assert comparisons_table(measured, []) is None


@pytest.mark.parametrize(("others", "prompts", "said"), [(1, 6, False), (8, 8, True), (8, 9, False), (8, 3, False)])
def test_too_few_prompts_for_any_verdict_are_said(make_frames, others, prompts, said):
    labels = ("sds", *(f"arm-{index}" for index in range(others)))
    frames = make_frames(methods=labels, prompts={f"p{index}": "object" for index in range(prompts)}, views=1)
    caption = " ".join(differences_table(Measured(frames, "sds"), []).caption)
    sentence = (
        "8 prompts are too few for a verdict on 8 methods: even if all agree, p is 0.0078 for one method and 0.062 "
    )
    assert (f"{sentence}after the correction. It takes 9 prompts." in caption) == said
    assert ("too few for a verdict" in caption) == said


def study(shift, prompts=43):
    rng = np.random.default_rng(1)
    base = rng.normal(30, 2, prompts)
    means = np.stack([base, base + shift + rng.normal(0, 1, prompts)])[..., None]
    return StudyScores(("sds", "sdi"), tuple(f"p{i}" for i in range(prompts)), (0,), means)


@pytest.mark.parametrize(
    ("shift", "prompts", "words"),
    [(3.0, 43, "better"), (-3.0, 43, "worse"), (0.05, 43, "cannot tell"), (9.0, 5, "cannot tell")],
)
def test_verdicts_follow_the_gap_the_direction_and_the_prompts(shift, prompts, words):
    (comparison,) = compare_to_baseline(study(shift, prompts), "sds", 0)
    assert verdict(comparison, TableColumn("x", "x", direction="up")) == words
    turned = {"better": "worse", "worse": "better"}.get(words, words)
    assert verdict(comparison, TableColumn("x", "x", direction="down")) == turned
    neither = {"better": "higher", "worse": "lower"}.get(words, words)
    assert verdict(comparison, TableColumn("x", "x")) == neither


def test_comparisons_have_a_part_for_each_metric_in_its_own_decimals(make_frames):
    measured = Measured(make_frames(methods=("sds", "sdi", "ism"), prompts=MANY, views=2), "sds")
    table = comparisons_table(measured, ["Toy scorers."])
    parts = list(dict.fromkeys(row.part for row in table.rows))
    assert parts[:2] == ["CLIP ↑", "quality % ↑"]
    assert len(table.rows) == 2 * len(parts)
    assert [row.columns[0].decimals for row in table.rows[:4]] == [2, 2, 1, 1]
    (found, _) = compare_to_baseline(measured.scores("clip_score"), "sds", 0)
    got = dict(zip([column.key for column in table.columns], table.rows[0].entries, strict=True))
    assert (got["difference"].low, got["difference"].high) == (
        found.difference.interval.low,
        found.difference.interval.high,
    )
    assert (got["p"].mean, got["p_holm"].mean) == (found.test.p, found.p_holm)
    assert got["improvement"].mean == 100 * found.improvement.value
    assert got["detectable"].mean == found.detectable
    assert table.caption[-1] == "Toy scorers."


def shifted(make_frames, **shifts):
    """Two methods on eight prompts whose CLIP scores are those of ``sds`` and a number for each prompt."""
    frames = make_frames(methods=("sds", *shifts), prompts=MANY, views=1)
    scores = frames.scores.set_index(["method", "prompt_id", "metric"])["value"]
    for method, numbers in shifts.items():
        for index, more in enumerate(numbers):
            scores[method, f"p{index}", "clip_score"] = scores["sds", f"p{index}", "clip_score"] + more
    frames.scores["value"] = scores.to_numpy()
    return Measured(frames, "sds")


def decided(measured):
    """The last entries of the part on CLIP scores, and the verdicts."""
    rows = [row for row in comparisons_table(measured, []).rows if row.part.startswith("CLIP ")]
    return {row.label: (row.entries[1].text, row.entries[-1].text) for row in rows if row.part == rows[0].part}


def test_the_prompt_that_hides_a_verdict_is_named(make_frames):
    """Seven prompts that agree have p = 2 / 2⁷; the eighth, as far on the other side, has the mean with it."""
    measured = shifted(make_frames, a=(5.0, 5.1, 4.9, 5.2, 4.8, 5.0, 5.1, -36.0))
    assert decided(measured) == {"a": ("cannot tell", "p7")}


def test_the_correction_is_made_again_without_the_prompt(make_frames):
    """Eight that agree have 2 · 2 / 2⁸ for two methods, and seven 2 · 2 / 2⁷: no prompt decides.  Of six each does."""
    up = (1.0, 1.1, 0.9, 1.2, 0.8, 1.0, 1.1, 0.7)
    measured = shifted(make_frames, a=up, b=up)
    assert decided(measured) == {"a": ("better", ""), "b": ("better", "")}
    measured = shifted(make_frames, a=up, b=(*up[:6], 0.0, 0.0), c=up)
    assert measured.comparisons(TableColumn("clip_score", "CLIP", direction="up"))["b"].p_holm == pytest.approx(
        2 / 2**6
    )
    assert decided(measured)["b"] == ("better", "6 prompts")


@pytest.mark.parametrize("study", range(12))
def test_what_a_verdict_depends_on_is_found_by_leaving_out_each_prompt(study):
    """Scores that tie and lack values, two seeds, an own baseline, and every third study distances to a target."""
    rng = np.random.default_rng(study)
    shape = (4, int(rng.integers(6, 12)), 2)
    means = rng.integers(0, 4, shape) + np.array([0.0, 1.2, 0.9, 2.0])[:, None, None]
    means[rng.random(shape) < 0.08] = np.nan
    if study % 4 == 1:
        means[1, 0] = np.inf
    prompts = tuple(f"p{index}" for index in range(shape[1]))
    scores = StudyScores(("sds", "a", "b", "c"), prompts, (0, 1), means)
    column = TableColumn("clip_score", "CLIP", direction="up")
    if study % 3 == 0:
        column = TableColumn("clip_score", "CLIP", direction="target", target=2.0)
    own = {"c": "b"}
    measured = Measured(None, "sds", own)
    measured._scores["clip_score"] = scores

    def significant(without):
        left = StudyScores(scores.methods, prompts, scores.seeds, np.where(without, np.nan, means))
        compared = compared_scores(left, column)[0]
        found = compare_to_baseline(compared, "sds", 0, own_baselines=own)
        return {each.method: each.p_holm is not None and each.p_holm <= 0.05 for each in found}

    whole = significant(np.zeros((1, shape[1], 1), dtype=bool))
    expected = {method: [] for method in whole}
    for place, prompt in enumerate(prompts):
        left = significant((np.arange(shape[1]) == place)[None, :, None])
        for method, names in expected.items():
            names.extend([prompt] * (left[method] != whole[method]))
    assert measured.depends_on(column) == expected


def test_it_depends_on_the_corrected_p(make_frames):
    """Six of eight prompts: p alone is 0.03 with and without ``b``, whose family of three needs more."""
    up = (1.0, 1.1, 0.9, 1.2, 0.8, 1.0, 0.0, 0.0)
    alone, three = shifted(make_frames, a=up), shifted(make_frames, a=up, b=up, c=up)
    column = TableColumn("clip_score", "CLIP", direction="up")
    assert alone.depends_on(column) == {"a": [f"p{index}" for index in range(6)]}
    assert three.depends_on(column) == {"a": [], "b": [], "c": []}

import numpy as np
import pytest
from scipy import optimize

from reports.statistics import StudyScores, has_too_few_to_rank, rank_groups
from reports.statistics.comparable_means import comparable_means
from reports.table import TableColumn
from reports.tables.ranks import cannot_be_ranked, rank_of_each

UP = TableColumn("clip_score", "CLIP", direction="up")
DOWN = TableColumn("extra_faces", "Extra faces", direction="down")


def scores(prompts=43, **shifts):
    rng = np.random.default_rng(0)
    shared = rng.normal(30, 2, prompts)
    means = np.stack([shared + shift + rng.normal(0, 1, prompts) for shift in shifts.values()])[..., None]
    return StudyScores(tuple(shifts), tuple(f"p{i}" for i in range(prompts)), (0,), means)


def test_groups_count_from_the_best_in_the_columns_direction():
    study = scores(worst=0.0, middle=5.0, best=10.0, level=10.0)
    assert rank_of_each(study, UP) == {"best": 0, "level": 0, "middle": 1, "worst": 2}
    assert rank_of_each(study, DOWN) == {"worst": 0, "middle": 1, "best": 2, "level": 2}


def test_a_method_between_two_that_differ_has_the_group_of_the_better():
    study = scores(low=0.0, between=0.55, high=1.1)
    assert rank_groups(study, 0) == [("high", "between"), ("between", "low")]
    assert rank_of_each(study, UP) == {"high": 0, "between": 0, "low": 1}


def test_nothing_is_ranked_without_a_direction_or_enough_prompts():
    assert rank_of_each(scores(a=0.0, b=9.0), TableColumn("steps", "steps")) == {}
    assert rank_of_each(scores(5, a=0.0, b=9.0), UP) == {}
    assert rank_of_each(scores(a=0.0), UP) == {}


def test_a_method_without_scores_is_in_no_group():
    study = scores(a=0.0, lost=1.0, b=9.0)
    study.means[1] = np.nan
    assert rank_of_each(study, UP) == {"b": 0, "a": 1}


def test_a_method_that_lost_hard_prompts_is_not_ahead_of_one_that_is_better_on_each():
    """``fragile`` has scores of the ten easy prompts only, and is two points worse on each of them."""
    rng = np.random.default_rng(1)
    hard = np.repeat([0.0, -16.0], 10)
    robust = 32 + hard + rng.normal(0, 0.1, 20)
    fragile = np.where(hard < 0, np.nan, robust - 2 + rng.normal(0, 0.1, 20))
    study = StudyScores(
        ("fragile", "robust"), tuple(f"p{i}" for i in range(20)), (0,), np.stack([fragile, robust])[..., None]
    )
    assert np.nanmean(fragile) > np.mean(robust) + 5
    assert rank_of_each(study, UP) == {"robust": 0, "fragile": 1}
    assert rank_groups(study, 0) == [("robust",), ("fragile",)]
    means = comparable_means(study)
    assert means["robust"] - means["fragile"] == pytest.approx(np.nanmean(robust - fragile))
    assert means["robust"] == pytest.approx(robust.mean())


def test_comparable_means_are_the_plain_ones_or_a_two_way_fit_where_prompts_are_missing():
    study = scores(9, a=0.0, b=1.0, c=4.0)
    plain = {method: study.method(method).mean() for method in study.methods}
    assert comparable_means(study) == pytest.approx(plain, rel=1e-15)
    table = study.means[..., 0]
    table[0, :3] = table[1, 4:6] = table[2, 8] = np.nan
    rows, columns = np.nonzero(~np.isnan(table))
    design = np.column_stack([rows[:, None] == np.arange(3), columns[:, None] == np.arange(1, 9)]).astype(float)
    coefficients = optimize.lsq_linear(design, table[rows, columns]).x  # prompt 0 as the reference
    expected = coefficients[:3] + np.append(0.0, coefficients[3:]).mean()
    assert list(comparable_means(study).values()) == pytest.approx(list(expected), rel=1e-6)


def test_methods_that_no_test_could_tell_apart_are_not_ranked():
    """Three pairs need 3 · 2 / 2ⁿ ≤ 0.05, so seven prompts, and ten pairs nine."""
    far = {name: 9.0 * place for place, name in enumerate("abcde")}
    three = dict(list(far.items())[:3])
    assert has_too_few_to_rank(scores(6, **three))
    assert not has_too_few_to_rank(scores(7, **three))
    assert rank_of_each(scores(6, **three), UP) == {}
    assert rank_of_each(scores(7, **three), UP) == {"c": 0, "b": 1, "a": 2}
    assert has_too_few_to_rank(scores(8, **far))
    assert not has_too_few_to_rank(scores(9, **far))
    assert cannot_be_ranked(scores(8, **far), UP)
    assert not cannot_be_ranked(scores(8, **far), TableColumn("steps", "steps"))
    assert not cannot_be_ranked(scores(5, **far), UP)  # it has no intervals either, which another sentence says


def test_the_pair_with_the_most_prompts_counts():
    study = scores(7, a=0.0, b=9.0, c=18.0)
    study.means[2, 3:] = np.nan
    assert not has_too_few_to_rank(study)


def test_prompts_in_which_methods_tie_tell_nothing_apart():
    """A share of views that is 0 for most objects: two methods differ in four of sixteen."""
    study = scores(16, a=0.0, b=9.0)
    study.means[1, 4:] = study.means[0, 4:]
    assert has_too_few_to_rank(study)
    assert rank_of_each(study, UP) == {}
    study.means[1] = study.means[0]
    assert not has_too_few_to_rank(study)
    assert rank_of_each(study, UP) == {"a": 0, "b": 0}


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_pair_without_a_test_does_not_count(value):
    """Six prompts that agree separate two methods, and not three pairs of methods."""
    study = scores(6, a=0.0, b=9.0, lost=18.0)
    assert has_too_few_to_rank(study)
    study.means[2, 1:] = value
    assert not has_too_few_to_rank(study)
    assert ("b", "a") not in [group[:2] for group in rank_groups(study, 0)]

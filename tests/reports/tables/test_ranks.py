import numpy as np

from reports.statistics import StudyScores, rank_groups
from reports.table import TableColumn
from reports.tables.ranks import rank_of_each

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

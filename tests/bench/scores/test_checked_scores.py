from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from bench.errors import InputError, RunError
from bench.scores.checked_scores import checked_scores
from metrics.card import Column, MetricCard
from metrics.views import Views


class Given:
    """A metric that gives what it was made with, or raises it."""

    columns = (Column(name="sharp", title="Sharpness"), Column(name="soft", title="Softness"))
    card = MetricCard(
        columns=columns, name="given", title="Given", checkpoint="none", preprocessing="none", description="as given"
    )
    role = None

    def __init__(self, scores: Mapping[str, object] | Exception) -> None:
        self._scores = scores

    def score(self, *_: object) -> Mapping[str, object]:
        if isinstance(self._scores, Exception):
            raise self._scores
        return self._scores


@pytest.fixture
def views() -> Views:
    return Views(np.zeros((3, 4, 4, 3), np.uint8), None, np.arange(3.0))


def test_columns_of_the_card_with_a_value_for_each_view_are_taken(views: Views) -> None:
    found = checked_scores(Given({"sharp": [1, 2, np.nan]}), views, "a duck", (), "sds--duck")
    assert list(found) == ["sharp"]  # the other one does not apply
    np.testing.assert_array_equal(found["sharp"], [1.0, 2.0, np.nan])


@pytest.mark.parametrize(
    ("scores", "message"),
    [
        (
            {"shrap": [1, 2, 3]},
            r"given: gives the column 'shrap' for sds--duck, must be of its card: sharp, soft",
        ),
        ({"soft": [1, 2]}, r"metric given: the column 'soft' for sds--duck has the shape \(2,\), must be \(3,\)"),
        ({"soft": np.zeros((3, 1))}, r"has the shape \(3, 1\), must be \(3,\), a value for each view"),
        ({"soft": 1.0}, r"has the shape \(\), must be \(3,\)"),
        ({"soft": ["good", "bad", "good"]}, r"the column 'soft' for sds--duck is not of numbers: could not convert"),
    ],
)
def test_other_values_are_refused_by_name(views: Views, scores: Mapping[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        checked_scores(Given(scores), views, "a duck", (), "sds--duck")


def test_a_metric_that_fails_is_named_with_the_scene_and_the_line(views: Views) -> None:
    line = r"metric given failed on sds--duck: ZeroDivisionError: no pixels \(test_checked_scores.py, line \d+\)"
    with pytest.raises(RunError, match=line):
        checked_scores(Given(ZeroDivisionError("no pixels")), views, "a duck", (), "sds--duck")
    with pytest.raises(InputError, match="cannot be read"):
        checked_scores(Given(InputError("cannot be read")), views, "a duck", (), "sds--duck")

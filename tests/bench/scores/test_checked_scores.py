from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import pytest

from bench.errors import InputError, RunError
from bench.scores.checked_scores import checked_scores
from metrics.card import Column, MetricCard
from metrics.views import TruthViews, Views


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


@pytest.mark.parametrize(
    ("scores", "what"),
    [
        (np.zeros(3), r"a value of the type ndarray of the shape \(3,\)"),
        ([1, 2, 3], "a value of the type list"),
        (None, "a value of the type NoneType"),
    ],
)
def test_what_is_no_dict_is_refused(views: Views, scores: object, what: str) -> None:
    line = rf"^metric given: gives {what} for sds--duck, must give a dict with an array of 3 values for each column of "
    with pytest.raises(InputError, match=line + "its card: sharp, soft$"):
        checked_scores(Given(scores), views, "a duck", (), "sds--duck")  # type: ignore[arg-type]


class Writing(Given):
    """A metric that writes in what it was given."""

    def __init__(self, write: Callable[[Views], None]) -> None:
        super().__init__({"sharp": [1, 2, 3]})
        self._write = write

    def score(self, views: Views, *_: object) -> Mapping[str, object]:
        self._write(views)
        return super().score()


def _flip(images: np.ndarray) -> None:
    images[:] = images[:, :, ::-1].copy()


@pytest.mark.parametrize(
    "write",
    [
        lambda views: _flip(views.rgb),
        lambda views: views.opacity.fill(255),
        lambda views: views.azimuth_deg.sort(),
        lambda views: views.samples.fill(0),
        lambda views: views.others[0].fill(0),
        lambda views: _flip(views.truths[0].rgb),
        lambda views: _flip(views.objects[0].rgb),
        lambda views: views.rgb[1].fill(0),
        lambda views: views.truths[0].faceless.fill(0),
    ],
    ids=["rgb", "opacity", "azimuth_deg", "samples", "others", "truths", "objects", "one view", "faceless"],
)
@pytest.mark.parametrize("count", [2, 24])
def test_a_metric_that_changes_the_images_is_refused(write: Callable[[Views], None], count: int) -> None:
    """The next metric would be given other images."""
    draws = np.random.default_rng(0)
    rgb = draws.integers(0, 255, (5, count, 4, 4, 3), dtype=np.uint8)
    azimuths = np.arange(count, 0.0, -1)
    truths = [TruthViews("duck", images, images[..., 0].copy(), faceless=images.copy()) for images in rgb[1:3]]
    views = Views(rgb[0], rgb[0, ..., 0].copy(), azimuths, truths[:1], truths[1:], samples=rgb[3], others=[rgb[4]])
    line = "^metric given: changed the images of sds--duck that it was given, must copy them first$"
    with pytest.raises(InputError, match=line):
        checked_scores(Writing(write), views, "a duck", (), "sds--duck")


def test_a_metric_may_write_in_its_copies(views: Views) -> None:
    copied = Writing(lambda views: _flip(views.rgb.copy()))
    assert list(checked_scores(copied, views, "a duck", (), "sds--duck")) == ["sharp"]

from __future__ import annotations

import numpy as np
import pytest

from metrics.facing import faces, front_and_extra, front_direction

AZIMUTH = (np.arange(24) * 15.0 + 180) % 360 - 180


def _around(*directions_deg: float, within_deg: float = 50) -> np.ndarray:
    return np.any([np.abs((AZIMUTH - d + 180) % 360 - 180) < within_deg for d in directions_deg], axis=0).astype(float)


@pytest.mark.parametrize("turn", [0.0, 30.0, 90.0, -180.0, -45.0])
@pytest.mark.parametrize("within", [20.0, 50.0, 80.0])
def test_the_front_is_the_middle_of_the_face(turn: float, within: float) -> None:
    shows = _around(turn, within_deg=within)
    assert front_direction(shows, AZIMUTH) == turn
    front, extra = front_and_extra(shows, AZIMUTH)
    assert np.nanmean(front) == min(1, shows.sum() / 5)
    assert np.nanmean(extra) == 0
    assert (~np.isnan(front)).sum() == (~np.isnan(extra)).sum() == 5


def test_two_faces_are_one_too_many() -> None:
    front, extra = front_and_extra(_around(0, 180), AZIMUTH)
    assert np.nanmean(front) == np.nanmean(extra) == 1
    assert front[0] == 1  # of equal fronts the one at 0°
    np.testing.assert_array_equal(~np.isnan(extra), faces(AZIMUTH, 180))


def test_faces_all_round_are_extra_ones() -> None:
    assert np.nanmean(front_and_extra(np.ones(24), AZIMUTH)[1]) == 1


def test_what_is_not_known_has_no_value() -> None:
    shows = _around(0)
    shows[[1, 12]] = np.nan
    front, extra = front_and_extra(shows, AZIMUTH)
    assert np.isnan(front[1])
    assert np.isnan(extra[12])
    assert np.nansum(front) == 4
    assert all(np.isnan(values).all() for values in front_and_extra(np.full(24, np.nan), AZIMUTH))


def test_without_a_front_there_is_nothing_to_repeat() -> None:
    shows = np.zeros(24)
    shows[12] = 1
    front, extra = front_and_extra(shows, AZIMUTH)
    assert np.nanmean(front) == 0.2
    assert np.isnan(extra).all()


def test_the_bound_is_that_of_the_view_words() -> None:
    assert not faces(np.array([45.0, -45.0]), 0).any()
    assert faces(np.array([44.0, -44.0, 0.0]), 0).all()

import pytest

from reports.statistics import Interval


def test_an_interval_is_bounds_or_a_reason():
    known, unknown = Interval(1.0, 2.0), Interval(reason="one prompt")
    assert (known.known, known.contains(2.0), known.contains(2.1)) == (True, True, False)
    assert (unknown.known, unknown.contains(2.0)) == (False, None)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "neither bounds nor a reason"),
        ({"low": 1.0, "high": 1.0}, "encloses nothing"),
        ({"low": 2.0, "high": 1.0}, "encloses nothing"),
        ({"low": float("nan"), "high": 1.0}, "encloses nothing"),
        ({"low": 0.0, "high": float("inf")}, "encloses nothing"),
        ({"low": 1.0}, "both bounds"),
        ({"low": 1.0, "high": 2.0, "reason": "x"}, "both bounds"),
    ],
)
def test_anything_else_is_refused(arguments, message):
    with pytest.raises(ValueError, match=message):
        Interval(**arguments)

import pytest

from reports.text.words import TextError, holds, least_p, print_p, span, word


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.00004, "< 0.001"),
        (0.001, "= 0.001"),
        (0.0309, "= 0.031"),
        (0.0996, "= 0.100"),
        (0.231, "= 0.23"),
        (1.0, "= 1.00"),
    ],
)
def test_a_p_value(value, text):
    assert print_p(value) == text


def test_a_bound_holds_for_all():
    """Rounded outwards: 0.2391 ≥ 0.23."""
    assert least_p([0.2391, 0.5]) == "p ≥ 0.23"
    assert least_p([0.0079, 0.5]) == "p ≥ 0.007"


@pytest.mark.parametrize("values", [[], [0.1, None]])
def test_a_bound_needs_every_value(values):
    with pytest.raises(TextError, match="needs at least one"):
        least_p(values)


def test_no_p_is_refused():
    with pytest.raises(TextError, match="no p-value"):
        print_p(None)


def test_counts_and_ranges():
    assert [word(count) for count in (0, 1, 13, 20, 21)] == ["no", "one", "thirteen", "twenty", "21"]
    assert span([107.2, 126.4, 110]) == "107 to 126"
    assert span([-1.04, 0.02], 1) == "−1.0 to 0.0"
    assert span([3.01, 3.02], 1) == "3.0"


def test_what_does_not_hold_is_refused():
    assert holds(True, "one is one") == ""
    with pytest.raises(TextError, match="does not hold that two is one"):
        holds(False, "two is one")

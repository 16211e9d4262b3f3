import pytest

from reports.text.words import TextError


def ends(difference):
    interval = difference.comparison.difference.interval
    return interval.low, interval.high


def text(value, decimals=1, sign=""):
    return f"{value:{sign}.{decimals}f}".replace("-", "−")


def test_a_higher_score_is_printed_as_more(numbers):
    found = numbers.difference("clip_score:1", "csd", "sds")
    low, high = ends(found)
    assert found.more_by == text(found.value)
    assert found.signed == f"{text(found.value, sign='+')} [{text(low, sign='+')}, {text(high, sign='+')}]"
    assert found.p.startswith("p = 0.0")
    assert found.is_seen


def test_a_lower_score_is_printed_as_less(numbers):
    found = numbers.difference("clip_score:1", "sds", "csd")
    assert found.less_by == text(-found.value)
    assert found.signed_by == text(found.value)


def test_the_wrong_direction_is_refused(numbers):
    with pytest.raises(TextError, match=r"clip_score:1, csd − sds: less is said, but the difference is \+2.3"):
        _ = numbers.difference("clip_score:1", "csd", "sds").less_by
    with pytest.raises(TextError, match="more is said"):
        _ = numbers.difference("clip_score", "sds", "csd").more_by


def test_nearer_and_further_are_of_distances_only(numbers):
    found = numbers.difference("sharpness", "sdi", "sds")
    kept, refused = ("nearer", "further") if found.value < 0 else ("further", "nearer")
    assert getattr(found, f"{kept}_by") == text(abs(found.value), 2)
    with pytest.raises(TextError, match=f"{refused} is said"):
        getattr(found, f"{refused}_by")
    with pytest.raises(TextError, match="cannot be said of a score with a target"):
        _ = found.more_by
    with pytest.raises(TextError, match="cannot be said of a score without a target"):
        _ = numbers.difference("clip_score", "csd", "sds").nearer


def test_without_enough_prompts_there_is_no_interval(numbers):
    few = numbers
    for prompt in ("p0", "p1", "p2"):
        few = few.without(prompt)
    with pytest.raises(TextError, match="has no interval: 4 prompts, at least 6 are needed"):
        _ = few.difference("clip_score", "csd", "sds").signed

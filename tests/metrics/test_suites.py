"""Names of suites of models."""

from __future__ import annotations

import pytest

from methods.registry import UnknownNameError
from metrics.suites import Suite, find_suite


def test_toybox_comes_with_the_package() -> None:
    suite = find_suite("toybox")
    assert (suite.clip.name, suite.iqa, suite.reward.name) == ("toybox_clip", suite.clip, "toybox_reward")


def test_suite_stands_for_itself(suite: Suite) -> None:
    assert find_suite(suite) is suite


def test_wrong_name_is_answered_with_the_right_one() -> None:
    with pytest.raises(UnknownNameError, match=r"^unknown suite of models 'toy_box': did you mean toybox\?$"):
        find_suite("toy_box")

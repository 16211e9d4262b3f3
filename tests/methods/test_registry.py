from __future__ import annotations

import pytest

from methods.registry import Registry, UnknownNameError, nearest


def test_registered_things_are_found_by_name() -> None:
    registry: Registry[type] = Registry("thing")
    registry.register("one")(int)
    assert registry["one"] is int
    assert "one" in registry
    assert registry.names() == ["one"]


def test_two_things_under_one_name_are_refused() -> None:
    registry: Registry[type] = Registry("thing")
    registry.register("one")(int)
    registry.register("one")(int)  # registering the same thing again is harmless: a module can be imported twice
    with pytest.raises(ValueError, match=r"thing 'one' is registered twice: builtins\.int and builtins\.str"):
        registry.register("one")(str)


def test_a_wrong_name_is_answered_with_the_nearest() -> None:
    registry: Registry[type] = Registry("thing")
    registry.register("apple")(int)
    registry.register("tree")(str)
    with pytest.raises(UnknownNameError, match=r"^unknown thing 'appple': did you mean apple\?$"):
        registry["appple"]
    with pytest.raises(UnknownNameError, match=r"^unknown thing 'zzz': known: apple, tree$"):
        registry["zzz"]


def test_nearest_names_come_first_and_all_names_where_none_is_near() -> None:
    assert nearest("sdii", ["sds", "sdi", "ism"]).startswith("did you mean sdi")
    assert nearest("gauss", ["b", "a"]) == "known: a, b"
    assert nearest("gauss", []) == "known: none"

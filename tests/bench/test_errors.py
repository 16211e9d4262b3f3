from __future__ import annotations

from bench.errors import InputError, nearest


def test_message_is_one_line() -> None:
    assert str(InputError("a key\n  is wrong")) == "a key is wrong"


def test_nearest_names_come_first_and_all_names_where_none_is_near() -> None:
    assert nearest("sdii", ["sds", "sdi", "ism"]).startswith("did you mean sdi")
    assert nearest("gauss", ["b", "a"]) == "known: a, b"
    assert nearest("gauss", []) == "known: none"

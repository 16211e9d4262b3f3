from __future__ import annotations

import pickle

import pytest

from bench.errors import InputError, RunError, StorageError, nearest


@pytest.mark.parametrize("kind", [InputError, StorageError, RunError])
def test_an_error_comes_whole_out_of_a_worker_process(kind: type[Exception]) -> None:
    told = pickle.loads(pickle.dumps(kind("runs/x: is full")))  # noqa: S301, as multiprocessing does it
    assert (type(told), str(told)) == (kind, "runs/x: is full")


def test_message_is_one_line() -> None:
    assert str(InputError("a key\n  is wrong")) == "a key is wrong"


def test_nearest_names_come_first_and_all_names_where_none_is_near() -> None:
    assert nearest("sdii", ["sds", "sdi", "ism"]).startswith("did you mean sdi")
    assert nearest("gauss", ["b", "a"]) == "known: a, b"
    assert nearest("gauss", []) == "known: none"

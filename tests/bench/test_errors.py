from __future__ import annotations

import pickle

import pytest

from bench.errors import InputError, RunError, StorageError


@pytest.mark.parametrize("kind", [InputError, StorageError, RunError])
def test_an_error_comes_whole_out_of_a_worker_process(kind: type[Exception]) -> None:
    copy = pickle.loads(pickle.dumps(kind("runs/x: is full")))  # noqa: S301, as multiprocessing does it
    assert (type(copy), str(copy)) == (kind, "runs/x: is full")


def test_message_is_one_line() -> None:
    assert str(InputError("a key\n  is wrong")) == "a key is wrong"

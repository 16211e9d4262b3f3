from __future__ import annotations

import pickle

import pytest
import torch

from bench.errors import InputError, RunError, StorageError, is_out_of_memory


@pytest.mark.parametrize("kind", [InputError, StorageError, RunError])
def test_an_error_comes_whole_out_of_a_worker_process(kind: type[Exception]) -> None:
    copy = pickle.loads(pickle.dumps(kind("runs/x: is full")))  # noqa: S301, as multiprocessing does it
    assert (type(copy), str(copy)) == (kind, "runs/x: is full")


def test_message_is_one_line() -> None:
    assert str(InputError("a key\n  is wrong")) == "a key is wrong"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (torch.OutOfMemoryError("no more"), True),
        (MemoryError(), True),
        (RuntimeError("CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 4 bytes"), True),
        (RuntimeError("shapes differ"), False),
    ],
)
def test_memory_that_ran_out_is_known_whichever_library_says_so(error: Exception, expected: bool) -> None:
    assert is_out_of_memory(error) is expected

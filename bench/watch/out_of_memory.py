"""Errors that say that memory ran out."""

from __future__ import annotations

import torch

#: Parts of the messages of out-of-memory errors of other types: torch's allocator on the CPU, CUDA, cuBLAS and cuDNN.
_WORDS = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether ``error`` is of memory that ran out, whichever library raised it."""
    is_typed = isinstance(error, torch.OutOfMemoryError | MemoryError)
    return is_typed or any(words in str(error) for words in _WORDS)

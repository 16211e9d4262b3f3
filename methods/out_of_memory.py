"""Errors of memory that ran out."""

from __future__ import annotations

#: Parts of the messages of out-of-memory errors of other types: torch's allocator on the CPU, CUDA, cuBLAS and cuDNN.
_MEMORY_WORDS = ("can't allocate memory", "out of memory", "ALLOC_FAILED")


def is_out_of_memory(error: BaseException) -> bool:
    """Say whether ``error`` is of memory that ran out, whichever library raised it."""
    # torch's type is known by its name: --help need not wait for torch
    is_typed = isinstance(error, MemoryError) or type(error).__name__ == "OutOfMemoryError"
    return is_typed or any(words in str(error) for words in _MEMORY_WORDS)

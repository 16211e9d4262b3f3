"""Torch as cells are run with it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.utils.deterministic


@contextmanager
def torch_settings(threads: int) -> Iterator[None]:
    """Torch with ``threads`` threads and deterministic algorithms, which make a cell's numbers bit-equal on a CPU."""
    # for as long as the process lives: cuBLAS reads it at its first product, and sums in one order only with it
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    threads_before = torch.get_num_threads()
    deterministic_before = torch.get_deterministic_debug_mode()
    fill_before = torch.utils.deterministic.fill_uninitialized_memory  # type: ignore[attr-defined]
    torch.set_num_threads(threads)
    # "warn": what use_deterministic_algorithms(True, warn_only=True) sets, without importing the compiler (2 seconds)
    torch.set_deterministic_debug_mode(1)
    # It would fill every new tensor first, whose values nothing reads: on a GPU one more kernel for each operation.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    try:
        yield
    finally:
        torch.set_num_threads(threads_before)
        torch.set_deterministic_debug_mode(deterministic_before)
        torch.utils.deterministic.fill_uninitialized_memory = fill_before  # type: ignore[attr-defined]


@contextmanager
def kept_defaults() -> Iterator[None]:
    """Restore torch's default type, default device and gradient mode after code that may leave others behind."""
    dtype, device, has_gradient = torch.get_default_dtype(), torch.get_default_device(), torch.is_grad_enabled()
    try:
        yield
    finally:
        torch.set_default_dtype(dtype)
        if torch.get_default_device() != device:
            torch.set_default_device(None if device.type == "cpu" else device)  # None leaves no mode behind
        torch.set_grad_enabled(has_gradient)

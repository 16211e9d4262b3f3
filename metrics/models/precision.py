"""Scores in full single precision, on a GPU too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Convolutions and matrix products in float32 on a CUDA device, where TensorFloat-32 keeps 10 bits of 23.

    PyTorch's default lets convolutions use TensorFloat-32, and a caller may have allowed it to products too; what
    the caller had comes back afterwards.
    """
    if device.type != "cuda":
        yield
        return
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("highest")
    try:
        with torch.backends.cudnn.flags(enabled=True, benchmark=False, deterministic=True, allow_tf32=False):
            yield
    finally:
        torch.set_float32_matmul_precision(before)

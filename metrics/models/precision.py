"""Scores in full single precision, on a GPU too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Compute convolutions and matrix products in float32 on a CUDA device; TensorFloat-32 has 10 of its 23 bits.

    PyTorch's default lets convolutions use TensorFloat-32, and a caller may have allowed it for products too; the
    caller's settings are restored afterwards.
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

"""Scores in full single precision, on a GPU too."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch.backends import cuda, cudnn, mkldnn

_CUDNN: Any = cudnn  # modules whose stubs lack some attributes
_MKLDNN: Any = mkldnn

#: What has a precision of float32 of its own, as the attribute ``fp32_precision``; each comes after those that it takes
#: it from while its own is "none".  MKL-DNN is of the CPU, but torch's switch for matrix products sets its products
#: too.  (Setting that of all of MKL-DNN would set torch.backends's, in torch 2.13.)
_PLACES: tuple[Any, ...] = (torch.backends, cudnn, cuda.matmul, _CUDNN.conv, _CUDNN.rnn, _MKLDNN.matmul)

#: Those of a GPU's convolutions and products.
_ON_GPU: tuple[Any, ...] = (cuda.matmul, _CUDNN.conv, _CUDNN.rnn)


@contextmanager
def full_precision(device: torch.device) -> Iterator[None]:
    """Compute convolutions and matrix products in float32 on a CUDA device; TensorFloat-32 has 10 of its 23 bits.

    PyTorch's default lets convolutions use TensorFloat-32, and a caller may have allowed it for more, by torch's older
    switches (``allow_tf32``, ``set_float32_matmul_precision``) or by ``fp32_precision``, which the older ones do not
    overrule.  All of the caller's settings are restored afterwards.
    """
    if device.type != "cuda":
        yield
        return
    products, convolutions = _older_switches()
    kernels = cudnn.enabled, cudnn.benchmark, cudnn.deterministic
    precisions = _precisions()
    try:
        if products is not None:  # the older switches agree with the others, as torch demands of whoever reads them
            torch.set_float32_matmul_precision("highest")
        if convolutions is not None:
            cudnn.allow_tf32 = False
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic = True, False, True
        for place in _ON_GPU:
            place.fp32_precision = "ieee"
        yield
    finally:
        if products is not None:
            torch.set_float32_matmul_precision(products)
        if convolutions is not None:
            cudnn.allow_tf32 = convolutions
        cudnn.enabled, cudnn.benchmark, cudnn.deterministic = kernels
        _restore(precisions)  # at the end, since the older switches set some of them


def _older_switches() -> tuple[str | None, bool | None]:
    """The older switches, each None where it says other than ``fp32_precision`` does: then torch refuses to read it."""
    products = convolutions = None
    with suppress(RuntimeError):
        products = torch.get_float32_matmul_precision()
    with suppress(RuntimeError):
        convolutions = bool(cudnn.allow_tf32)
    return products, convolutions


def _precisions() -> list[str]:
    """The precision that was set for each of the places, "none" where none was."""
    found = []
    for place in _PLACES:
        found.append(place.fp32_precision)
        place.fp32_precision = "none"  # the places below would give it as their own
    _restore(found)
    return found


def _restore(precisions: list[str]) -> None:
    for place, precision in zip(_PLACES, precisions, strict=True):
        place.fp32_precision = precision

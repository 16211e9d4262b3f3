"""Gradients through a network in float16, which loses those that are small.

Float16 has few numbers below 6e-5, and a loss that is a mean over latents has gradients of that size.  So a gradient is
multiplied by a power of two before it enters the network and divided by it behind: its largest element is then from 1
to 2, whatever the loss (dynamic loss scaling, arXiv 1710.03740, within one network and without a search).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor


def through_half(network: Callable[[Tensor], Tensor], values: Tensor, dtype: torch.dtype) -> Tensor:
    """Apply a network of ``dtype`` to float32 ``values``; its output in float32, with a gradient that is not lost.

    Args:
        network: From values in ``dtype`` to values in ``dtype``.
        values: Its input.
        dtype: Precision of the network.
    """
    if dtype != torch.float16 or not torch.is_grad_enabled() or not values.requires_grad:
        return network(values.to(dtype)).to(values.dtype)
    scale = _Scale()
    inside: Tensor = _Divided.apply(values, scale)
    return _Multiplied.apply(network(inside.to(dtype)).to(values.dtype), scale)  # type: ignore[no-any-return]


class _Scale:
    """The factor of a backward pass, known once the gradient has come."""

    factor: Tensor  # a number on the gradient's device: reading it on the host would wait for the device


class _Unchanged(torch.autograd.Function):
    """Passes values on; what happens to their gradient is the subclasses'."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, scale: _Scale) -> Tensor:
        ctx.scale = scale
        return values.view_as(values)


class _Multiplied(_Unchanged):
    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        largest = gradient.abs().amax()
        factor = torch.exp2(-torch.floor(torch.log2(largest)))
        is_scaled = (factor > 0) & factor.isfinite()  # not where all elements are 0, or one is infinite or NaN
        ctx.scale.factor = torch.where(is_scaled, factor, torch.ones_like(factor))
        return gradient * ctx.scale.factor, None


class _Divided(_Unchanged):
    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        (gradient,) = gradients
        return gradient / ctx.scale.factor, None

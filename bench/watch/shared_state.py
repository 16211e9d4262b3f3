"""The tensors that one cell leaves to the next: those of the prior, which no method may change."""

from __future__ import annotations

import weakref
from typing import NamedTuple

import torch
from torch import Tensor

from methods.contracts import HoldsTensors, Prior

#: Numbers that are summed at once, which bounds the memory of a check.
_AT_ONCE = 2**20


class SharedStateError(RuntimeError):
    """A cell changed what other cells use."""


class _Kept(NamedTuple):
    tensor: weakref.ref[Tensor]  # the prior may drop it, such as the weights of a text encoder
    sums: list[float]


class SharedState:
    """The state of a prior before a cell.

    A tensor that cannot be summed (of another layout, or on a device without memory) is not looked at.

    Args:
        prior: The prior, whose tensors are held weakly.
    """

    def __init__(self, prior: Prior) -> None:
        tensors = prior.held_tensors() if isinstance(prior, HoldsTensors) else []
        found = [(tensor, _sums(tensor)) for tensor in (prior.alphas_cumprod, *tensors)]
        self._kept = [_Kept(weakref.ref(tensor), sums) for tensor, sums in found if sums is not None]

    def check(self) -> None:
        """Compare the prior's tensors with what they were.

        Raises:
            SharedStateError: If one that is still there was changed.
        """
        for kept in self._kept:
            tensor = kept.tensor()
            sums = None if tensor is None else _sums(tensor)
            if tensor is not None and sums is not None and sums != kept.sums:
                raise SharedStateError(
                    f"a tensor {tuple(tensor.shape)} of the prior was changed in place, which would change the cells "
                    "after this one too; work on a copy"
                )


def _sums(tensor: Tensor) -> list[float] | None:
    """Numbers that hardly any change leaves as they are, that of an order neither; None if there are none."""
    rows = tensor.detach()
    rows = torch.view_as_real(rows) if rows.is_complex() else rows
    rows = rows[None] if rows.ndim == 0 else rows
    try:
        parts = rows.split(max(1, _AT_ONCE * len(rows) // max(1, rows.numel())))
        totals = [place * _sums_of(part) for place, part in enumerate(parts, 1)]
        found: list[float] = torch.stack(totals).sum(0).tolist()
    except (RuntimeError, TypeError):  # of a layout without sums, or no memory is left
        return None
    return found


def _sums_of(values: Tensor) -> Tensor:
    """The sum, the sum weighted by place, and the places of what is no finite number."""
    numbers = values.reshape(-1).double()
    is_finite = numbers.isfinite()
    numbers = numbers.where(is_finite, 0.0)
    place = torch.arange(1, len(numbers) + 1, dtype=numbers.dtype, device=numbers.device)
    return torch.stack([numbers.sum(), numbers @ place, (~is_finite).to(place) @ place])

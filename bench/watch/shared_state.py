"""The tensors that one cell leaves to the next: those of the prior, which no method may change."""

from __future__ import annotations

import weakref
from typing import NamedTuple

import torch
from torch import Tensor

from methods.contracts import HoldsTensors, Prior


class SharedStateError(RuntimeError):
    """A cell changed what other cells use."""


class _Kept(NamedTuple):
    tensor: weakref.ref[Tensor]  # the prior may drop it, such as the weights of a text encoder
    sums: Tensor


class SharedState:
    """The state of a prior before a cell.

    Args:
        prior: The prior, whose tensors are held weakly.
    """

    def __init__(self, prior: Prior) -> None:
        tensors = prior.held_tensors() if isinstance(prior, HoldsTensors) else []
        self._kept = [_Kept(weakref.ref(tensor), _sums(tensor)) for tensor in (prior.alphas_cumprod, *tensors)]

    def check(self) -> None:
        """Compare the prior's tensors with what they were.

        Raises:
            SharedStateError: If one that is still there was changed.
        """
        for kept in self._kept:
            tensor = kept.tensor()
            if tensor is not None and not torch.equal(_sums(tensor), kept.sums):
                raise SharedStateError(
                    f"a tensor {tuple(tensor.shape)} of the prior was changed in place, which would change the cells "
                    "after this one too; work on a copy"
                )


def _sums(tensor: Tensor) -> Tensor:
    """Two numbers that hardly any change leaves as they are, without a copy of the tensor."""
    values = tensor.detach()
    total = values.sum(dtype=torch.float64)
    if not values.is_floating_point():
        return total[None]
    return torch.stack([total, torch.linalg.vector_norm(values, dtype=torch.float32).double()])

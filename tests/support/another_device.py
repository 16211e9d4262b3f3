"""A device that is not there: what a GPU would refuse, or make the host wait for, is found without one.

Its tensors hold their values on the CPU and say that they are elsewhere.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

ELSEWHERE = torch.device("meta")  # the one device that torch computes nothing on

_aten = torch.ops.aten
#: Operations whose result, or its size, the host needs before it continues.
_READS = {
    _aten._local_scalar_dense.default,  # float(), int(), bool(), item()
    _aten.bincount.default,
    _aten.equal.default,
    _aten.masked_select.default,
    _aten.nonzero.default,
    _aten.repeat_interleave.Tensor,
    _aten.unique_dim.default,
    _aten._unique2.default,
}
_INDEXING = {_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default, _aten._index_put_impl_.default}


class Remote(Tensor):
    """A tensor on a device that does not exist; it is valid in a ``with AnotherDevice()`` block."""

    values: Tensor

    @staticmethod
    def __new__(cls, values: Tensor) -> Self:
        """Make one with the shape, strides and type of ``values``."""
        made: Self = torch.Tensor._make_wrapper_subclass(
            cls, values.shape, strides=values.stride(), dtype=values.dtype, device=ELSEWHERE
        )
        made.values = values.detach()
        return made

    def tolist(self) -> Any:
        """The numbers, which torch reads of its own tensors only."""
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Refuse to compute outside of the block."""
        raise AssertionError(f"{func} outside of the block")


class AnotherDevice(TorchDispatchMode):
    """Computes for the device; ``waits`` names the operations that the host would have waited in, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = dict(kwargs or {})
        tensors = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)]
        remote = any(isinstance(tensor, Remote) for tensor in tensors)
        to = kwargs.get("device")
        goes = remote if to is None else to == ELSEWHERE
        if self._waits(func, args, kwargs, tensors, remote=remote, goes=goes):
            self.waits.append(str(func))
        if goes and to is not None:
            kwargs["device"] = torch.device("cpu")
        args, kwargs = tree_map_only(Remote, lambda tensor: tensor.values, (args, kwargs))
        result = func(*args, **kwargs)
        if func._schema.is_mutable:
            return tensors[0]
        return tree_map_only(Tensor, Remote, result) if goes else result

    @staticmethod
    def _waits(func: Any, args: Any, kwargs: Any, tensors: list[Tensor], *, remote: bool, goes: bool) -> bool:
        if any(tensor.device == ELSEWHERE and not isinstance(tensor, Remote) for tensor in tensors):
            raise AssertionError(f"{func}: a tensor that torch.tensor copied to the device, which waits")
        if func is _aten._to_copy.default:
            return remote != goes and (remote or not kwargs.get("non_blocking", False))
        if not remote:
            return False
        if func in _INDEXING and any(index is not None and index.dtype == torch.bool for index in args[1]):
            return True
        # a single number on the host is read there and passed with the operation
        return func in _READS or any(not isinstance(tensor, Remote) and tensor.dim() > 0 for tensor in tensors)

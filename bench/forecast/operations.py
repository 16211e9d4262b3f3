"""Floating-point operations and memory of a piece of code, counted as it runs; tensors without values will do."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.overrides import TorchFunctionMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

if TYPE_CHECKING:
    from torch.utils.flop_counter import FlopCounterMode


class Operations:
    """The counts of :func:`count_operations`, which grow while its block runs."""

    def __init__(self, counter: FlopCounterMode, rest: _Rest) -> None:
        self._counter, self._rest = counter, rest

    @property
    def products(self) -> int:
        """Operations of matrix products, convolutions and attention, two for a product and its sum."""
        return self._counter.get_total_flops()

    @property
    def all(self) -> int:
        """The products, and one operation for each number that anything else writes."""
        return self.products + self._rest.written

    @property
    def launches(self) -> int:
        """Operators that compute something, each at least one kernel of a GPU."""
        return self._rest.launches

    @property
    def live_bytes(self) -> int:
        """Bytes of the tensors that the block has made so far and that something still holds."""
        return self._rest.live

    @property
    def peak_bytes(self) -> int:
        """The most of ``live_bytes`` so far."""
        return self._rest.peak


@contextmanager
def count_operations() -> Iterator[Operations]:
    """Count what the ``with`` block computes, gradients included.

    Attention is counted as the fused kernel that a GPU runs, which holds no matrix of tokens against tokens, where the
    tensors are on the device ``meta``.
    """
    from torch.utils.flop_counter import FlopCounterMode  # imports triton: 70 MB, which few commands need

    counter = FlopCounterMode(display=False)
    rest = _Rest(known=frozenset(counter.flop_registry))
    with _FusedAttention(), counter, rest:
        yield Operations(counter, rest)


class _Rest(TorchDispatchMode):
    """Counts what the counter of products leaves out, and the memory of all results."""

    def __init__(self, *, known: frozenset[Any]) -> None:
        super().__init__()
        self._products = known  # the operations whose formula the counter of products has
        self.written = self.launches = self.live = self.peak = 0
        self._seen: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(
        self, func: Any, types: Sequence[type], args: Sequence[Any] = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        given = dict(kwargs or {})
        for value in _tensors((args, given)):
            self._keep(value, 0)  # what was there before, weights above all
        found = func(*args, **given)
        self.launches += not func.is_view
        if func.overloadpacket not in self._products and not func.is_view:
            self.written += sum(value.numel() for value in _tensors(found) if value.is_floating_point())
        for value in _tensors(found):
            self._keep(value, value.untyped_storage().nbytes())
        return found

    def _keep(self, value: Tensor, size: int) -> None:
        storage = value.untyped_storage()
        key = storage._cdata  # noqa: SLF001, the identity of the memory behind several Python objects
        if key in self._seen:
            return

        def forget(_: object) -> None:
            del self._seen[key]
            self.live -= size

        self._seen[key] = weakref.ref(storage, forget)
        self.live += size
        self.peak = max(self.peak, self.live)


class _FusedAttention(TorchFunctionMode):
    def __torch_function__(
        self, func: Callable[..., Any], types: Sequence[type], args: Any = (), kwargs: Mapping[str, Any] | None = None
    ) -> Any:
        if func is torch.nn.functional.scaled_dot_product_attention and args and args[0].is_meta:
            return torch.ops.aten._scaled_dot_product_flash_attention(*args[:3])[0]  # noqa: SLF001, as torch calls it
        return func(*args, **(kwargs or {}))


def _tensors(values: Any) -> list[Tensor]:
    return [value for value in tree_leaves(values) if isinstance(value, Tensor)]

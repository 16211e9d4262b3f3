"""No method makes the host wait for the device: it reads only values that it drew on the host.

The device here is not there: its tensors hold their values on the CPU and say that they are elsewhere, and what a
GPU would make the host wait for is written down.  tests/gpu asks a GPU itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Self

import pytest
import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only

from methods.cameras import evaluation_ring
from methods.contracts import Perpendicular, Rendering, View, ViewPrompt
from methods.diffusion.perp_neg import PerpNeg
from methods.distillation import methods
from methods.inversion import strategies
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.closed_form.translated import TranslatedPrior

ELSEWHERE = torch.device("meta")  # the one device that torch computes nothing on

_aten = torch.ops.aten
#: Operations whose result, or its size, the host needs before it continues.
_READS = {
    _aten._local_scalar_dense.default,  # float(), int(), bool(), item()
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


class RemotePrior(GaussianPrior):
    """The closed-form prior with all of its tensors on another device."""

    def __init__(self, place: Callable[[Tensor], Tensor]) -> None:
        super().__init__(clip_target=None)
        self.place = place
        self.alphas_cumprod = place(self.alphas_cumprod)
        self.device = self.alphas_cumprod.device

    def embed(self, texts: Any) -> Tensor:
        return self.place(super().embed(texts))

    def adapted(self, rank: int, generator: torch.Generator) -> TranslatedPrior:
        copy = TranslatedPrior(self)
        copy.turn, copy.shift = (torch.nn.Parameter(self.place(value.detach())) for value in (copy.turn, copy.shift))
        return copy


def _gradients(method: Any, streams: Any, place: Callable[[Tensor], Tensor]) -> Iterator[tuple[Tensor, float]]:
    """The gradient at the image and the timestep of two steps, with everything except the draws at one place."""
    prior, cameras, words = RemotePrior(place), evaluation_ring(2), ["a red car", "a blue duck"]
    state = method.start(prior)
    positive, perpendicular = PerpNeg()(prior, words[0], cameras)
    plain = ViewPrompt(prior.embed(words), prior.embed(["", ""]), prior.embed(["bad", "bad"]))
    rgb = place(torch.rand(2, 3, 16, 16, generator=torch.Generator().manual_seed(3))).requires_grad_()
    for prompt in (plain, plain._replace(positive=positive, perpendicular=Perpendicular(*perpendicular))):
        blank = place(torch.ones(2, 1, 16, 16))
        view = View(Rendering(rgb, blank, blank), cameras, prior)
        out = method(view, prior=prior, prompt=prompt, progress=0.4, streams=streams, state=state)
        out.loss.backward()
        assert all(value.dim() == 0 for value in out.diagnostics.values())
        yield rgb.grad, float(out.timesteps.float().mean())
        rgb.grad = None


CASES = {name: methods[name]() for name in methods.names()} | {
    f"sds with {name}": methods["sds"](inversion=strategies[name]()) for name in strategies.names()
}


@pytest.mark.parametrize("method", CASES.values(), ids=CASES)
def test_a_step_reads_nothing_from_the_device_and_waits_for_no_copy(method: Any, make_streams: Any) -> None:
    expected = list(_gradients(method, make_streams(1), lambda values: values))
    with AnotherDevice() as device:
        found = list(_gradients(method, make_streams(1), Remote))
    assert device.waits == []
    for (gradient, t), (remote, remote_t) in zip(expected, found, strict=True):
        assert t == remote_t
        assert torch.equal(gradient, remote.values)


WAITING = {
    "number": lambda x: float(x.sum()),
    "condition": lambda x: bool((x > 0).any()),
    "to the host": lambda x: x.cpu(),
    "mask": lambda x: x[x > 0],
    "places": lambda x: (x > 0).nonzero(),
    "from the host": lambda x: torch.ones(3).to(x),
    "index of the host": lambda x: x[torch.arange(2)],
}


@pytest.mark.parametrize("work", WAITING.values(), ids=WAITING)
def test_an_operation_that_waits_is_found(work: Callable[[Tensor], Any]) -> None:
    with AnotherDevice() as device:
        work(Remote(torch.arange(3.0)))
    assert len(device.waits) >= 1


def test_a_constant_written_to_the_device_is_found() -> None:
    with AnotherDevice(), pytest.raises(AssertionError, match="which waits"):
        torch.tensor([1.0, 2.0], device=ELSEWHERE) + Remote(torch.ones(2))

"""The switches of torch's precision, which are there without a GPU too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import torch
from torch.backends import cuda, cudnn

from metrics.models.precision import _PLACES, _precisions, _restore, full_precision

GPU = torch.device("cuda")


def _all_by_one_switch() -> None:
    torch.backends.fp32_precision = "tf32"


def _cudnn_by_its_switch() -> None:
    cudnn.fp32_precision = "tf32"


def _each_by_its_switch() -> None:
    cuda.matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision = "tf32", "ieee", "tf32"


def _by_the_older_switches() -> None:
    torch.set_float32_matmul_precision("high")
    cudnn.allow_tf32 = False


def _by_both() -> None:
    torch.set_float32_matmul_precision("high")
    torch.backends.fp32_precision = "tf32"
    cudnn.conv.fp32_precision = "none"


def _not_at_all() -> None:
    pass


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    precisions = _precisions()
    kernels = cudnn.enabled, cudnn.benchmark, cudnn.deterministic
    yield
    torch.set_float32_matmul_precision("highest")
    cudnn.allow_tf32 = True
    cudnn.enabled, cudnn.benchmark, cudnn.deterministic = kernels
    _restore(precisions)


def _read(what: Callable[[], object]) -> object:
    try:
        return what()
    except RuntimeError as error:  # torch refuses where its older and newer switches disagree
        return type(error)


def _state() -> list[object]:
    """Everything that a caller can read."""
    older = [_read(torch.get_float32_matmul_precision), _read(lambda: cudnn.allow_tf32)]
    return [*older, *(place.fp32_precision for place in _PLACES), cudnn.enabled, cudnn.benchmark, cudnn.deterministic]


@pytest.mark.parametrize(
    "choose",
    [_not_at_all, _all_by_one_switch, _cudnn_by_its_switch, _each_by_its_switch, _by_the_older_switches, _by_both],
)
@pytest.mark.parametrize("fails", [False, True])
def test_products_and_convolutions_are_in_float32_and_the_callers_choice_comes_back(
    choose: Callable[[], None], fails: bool
) -> None:
    cudnn.benchmark = True
    choose()
    before, own = _state(), _precisions()
    with suppress(ZeroDivisionError), full_precision(GPU):
        precisions = (cuda.matmul.fp32_precision, cudnn.conv.fp32_precision, cudnn.rnn.fp32_precision)
        assert precisions == ("ieee", "ieee", "ieee")
        assert (cudnn.enabled, cudnn.benchmark, cudnn.deterministic) == (True, False, True)
        _ = 1 // (not fails)
    assert _state() == before
    assert _precisions() == own  # what was inherited still is


def test_a_library_may_read_the_older_switches_meanwhile() -> None:
    with full_precision(GPU), cudnn.flags(enabled=True):
        pass
    with full_precision(GPU):
        assert torch.get_float32_matmul_precision() == "highest"
        assert not cudnn.allow_tf32
        assert not cuda.matmul.allow_tf32


def test_on_a_cpu_nothing_is_set() -> None:
    before = _state()
    with full_precision(torch.device("cpu")):
        assert _state() == before

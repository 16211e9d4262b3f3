from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
import torch

import bench.commands.determinism
from bench.commands.determinism import largest_difference


def _outcomes(monkeypatch: pytest.MonkeyPatch, *scenes: dict[str, torch.Tensor]) -> list[Any]:
    """Lets cells end with these scenes; what they were called with."""
    left, asked = list(scenes), []

    def run_cell(*arguments: Any) -> Any:
        asked.append(arguments)
        record = SimpleNamespace(failure="OutOfMemoryError: no memory", status="oom")
        return SimpleNamespace(scene=left.pop(0), record=record)

    monkeypatch.setattr(bench.commands.determinism, "run_cell", run_cell)
    return asked


def test_the_largest_difference_of_any_parameter_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    one = {"grid": torch.zeros(3, 2), "occupied": torch.tensor([True, False])}
    asked = _outcomes(monkeypatch, one, one | {"grid": torch.tensor([[0.0, 0.0], [-0.25, 0.0], [0.125, 0.0]])})
    assert largest_difference(torch.device("cpu")) == 0.25
    (cell, prior), again = asked
    assert again == (cell, prior)
    assert (cell.method, cell.prior.name) == ("sds", "toybox")
    assert prior.device == torch.device("cpu")


def test_a_cell_that_fails_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    _outcomes(monkeypatch, {}, {})
    with pytest.raises(RuntimeError, match="OutOfMemoryError: no memory"):
        largest_difference(torch.device("cpu"))


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_two_runs_on_a_gpu_differ_by_rounding_only() -> None:
    # Adam makes whole steps of the rounding of a gradient near zero: at most 0.15 in five steps of 0.03
    assert largest_difference(torch.device("cuda")) < 0.2

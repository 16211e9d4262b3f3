from __future__ import annotations

import pytest
import torch

from methods.transfer import to_device

DEVICES = [
    "cpu",
    pytest.param(
        "cuda",
        marks=[pytest.mark.gpu, pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")],
    ),
]


@pytest.mark.parametrize("device", DEVICES)
def test_values_take_the_precision_of_the_tensor_that_they_go_to(device: str) -> None:
    drawn = torch.rand(3, 1, generator=torch.Generator().manual_seed(0)).expand(-1, 4)
    there = torch.zeros(1, dtype=torch.float64, device=device)
    assert to_device(drawn, there).device == there.device
    assert torch.equal(to_device(drawn, there).cpu(), drawn.double())
    assert torch.equal(to_device(drawn, there.device).cpu(), drawn)
    assert torch.equal(to_device(there, torch.device("cpu")), torch.zeros(1, dtype=torch.float64))


def test_values_that_are_there_already_are_returned_unchanged() -> None:
    drawn = torch.rand(3, generator=torch.Generator().manual_seed(0))
    assert to_device(drawn, drawn) is drawn
    assert to_device(drawn, drawn.device) is drawn

from __future__ import annotations

import pytest
import torch

from bench.watch.lost_device import lost_device

STICKY = "CUDA error: an illegal memory access was encountered\nCUDA kernel errors might be asynchronously reported"


def _broken(_device: torch.device) -> None:
    raise torch.AcceleratorError(STICKY)


def test_a_gpu_whose_error_comes_again_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "synchronize", _broken)
    assert lost_device(torch.device("cuda", 1)) == (
        "cuda:1: CUDA error: an illegal memory access was encountered: this process can compute nothing more there"
    )
    assert lost_device(torch.device("cpu")) is None


def test_a_gpu_whose_error_has_passed_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: None)
    assert lost_device(torch.device("cuda")) is None

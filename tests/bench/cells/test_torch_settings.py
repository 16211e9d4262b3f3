from __future__ import annotations

import os

import pytest
import torch

from bench.cells.torch_settings import torch_settings


def test_torch_settings_are_restored() -> None:
    threads, deterministic = torch.get_num_threads(), torch.are_deterministic_algorithms_enabled()
    with torch_settings(threads + 1):
        assert torch.get_num_threads() == threads + 1
        assert torch.are_deterministic_algorithms_enabled()
        assert not torch.utils.deterministic.fill_uninitialized_memory
    assert torch.get_num_threads() == threads
    assert torch.are_deterministic_algorithms_enabled() == deterministic
    assert torch.utils.deterministic.fill_uninitialized_memory


def test_cublas_is_told_to_sum_in_one_order_unless_it_is_told_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without it torch warns at each product on a GPU, and the record's ``deterministic`` would not be true."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")  # so that what follows is taken back
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG")
    with torch_settings(1):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":16:8"
    with torch_settings(1):
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":16:8"

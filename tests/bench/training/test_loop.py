"""A training that was interrupted ends where one that was not does."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.training import loop
from bench.training.loop import initialise, schedule, train


class _StoppedError(Exception):
    pass


def _network() -> nn.Linear:
    network = nn.Linear(3, 2)
    initialise(network, torch.Generator().manual_seed(1), layers=1)
    return network


def _train(network: nn.Linear, work: Path, *, steps: int = 12, stop: int | None = None) -> None:
    def loss(step: int) -> Tensor:
        if step == stop:
            raise _StoppedError
        rows = torch.randn(4, 3, generator=torch.Generator().manual_seed(step))
        return (network(rows) - 1).square().mean()

    train(network, loss, steps=steps, learning_rate=0.05, work=work, settings={"steps": steps})


def test_resumed_equals_straight(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loop, "_KEEP_EVERY", 5)
    straight, resumed = _network(), _network()
    _train(straight, tmp_path / "straight")
    with pytest.raises(_StoppedError):
        _train(resumed, tmp_path / "resumed", stop=8)
    fresh = _network()
    _train(fresh, tmp_path / "resumed")
    assert torch.equal(straight.weight, fresh.weight)
    assert torch.equal(straight.bias, fresh.bias)
    assert not torch.equal(straight.weight, _network().weight)


def test_finished_training_is_only_loaded(tmp_path: Path) -> None:
    first, second = _network(), _network()
    _train(first, tmp_path)
    _train(second, tmp_path, stop=0)
    assert torch.equal(first.weight, second.weight)


def test_checkpoint_of_another_training_is_refused(tmp_path: Path) -> None:
    _train(_network(), tmp_path)
    with pytest.raises(ValueError, match=r"checkpoint\.pt: of a training with \{'steps': 12\}, not \{'steps': 13\}"):
        _train(_network(), tmp_path, steps=13)


def test_rate_warms_up_and_ends_near_zero() -> None:
    rates = [schedule(step, 1000) for step in range(1000)]
    assert rates[0] == pytest.approx(0.01)
    assert max(rates) == pytest.approx(1, abs=0.03)
    assert rates[-1] < 1e-4
    assert sorted(rates[100:], reverse=True) == rates[100:]

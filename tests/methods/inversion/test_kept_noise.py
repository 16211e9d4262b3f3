"""Noise that lasts for a run: renewed slowly, continued from a checkpoint, and shared by the views of a batch."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from seen_objects import balls, kappa, random_cameras

from methods.inversion.surface import Surface
from methods.inversion.world_map import WorldMap

STRATEGIES = pytest.mark.parametrize("kind", [Surface, WorldMap])


@STRATEGIES
def test_noise_stays_unless_it_is_renewed(kind: Any) -> None:
    """Over 2 × 64 channels of 144 latents; the standard error of the correlations is 0.007."""
    cameras = random_cameras(2)
    rendering = balls(cameras, 96)

    def steps(renewal: Any, progress: float = 0.0) -> list[torch.Tensor]:
        strategy, stream = kind(renewal=renewal), torch.Generator().manual_seed(0)
        call: dict[str, Any] = {"side": 12, "channels": 64, "state": strategy.start(None), "generator": stream}
        return [kappa(strategy, rendering, cameras, progress=progress, **call) for _ in range(3)]

    first, second, third = steps(0.0)
    assert torch.equal(first, second)
    assert torch.equal(first, third)
    first, second, third = steps(0.19)  # √(1 − 0.19) = 0.9
    assert float((first * second).mean()) == pytest.approx(0.9, abs=0.03)
    assert float((first * third).mean()) == pytest.approx(0.81, abs=0.03)
    assert float(third.square().mean()) == pytest.approx(1, abs=0.05)
    for progress, share in ((0.1, 0.75), (0.3, 0.375), (0.9, 0.0)):
        first, second, _ = steps((0.2, 0.75, 0.0, 0.4), progress)
        assert float((first * second).mean()) == pytest.approx((1 - share) ** 0.5, abs=0.03)


@STRATEGIES
def test_a_resumed_run_has_the_noise_of_one_that_was_not_killed(kind: Any) -> None:
    strategy, cameras = kind(renewal=0.3), random_cameras(2)
    rendering, stream = balls(cameras, 96), torch.Generator().manual_seed(0)
    state, resumed = strategy.start(None), strategy.start(None)
    (name,) = state
    assert state[name].state_dict() == {}
    kappa(strategy, rendering, cameras, side=12, state=state, generator=stream)
    kept = {key: value.clone() for key, value in state[name].state_dict().items()}
    position = stream.get_state()
    expected = kappa(strategy, rendering, cameras, side=12, state=state, generator=stream)
    for values, is_same in ((kept, True), ({}, False)):
        resumed[name].load_state_dict(values)
        stream.set_state(position)
        found = kappa(strategy, rendering, cameras, side=12, state=resumed, generator=stream)
        assert torch.equal(found, expected) == is_same


@STRATEGIES
def test_a_view_of_a_batch_has_the_noise_that_it_has_alone(kind: Any) -> None:
    strategy, cameras = kind(renewal=0.0), random_cameras(3)
    state = strategy.start(None)
    batch = kappa(strategy, balls(cameras, 96), cameras, side=12, state=state)
    for index in range(3):
        one = cameras[[index]]
        assert torch.equal(kappa(strategy, balls(one, 96), one, side=12, state=state)[0], batch[index])
    assert not torch.equal(batch[0], batch[1])

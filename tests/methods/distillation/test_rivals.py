"""Methods since 2024 against their equations, derived again in numpy on priors whose noise is exact.

Each update is compared in batches of three views with three different timesteps, in double precision.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from closed_form_world import RIVALS, GivenNoise, World

TOLERANCE = 1e-9


def pfd(world: World) -> tuple[np.ndarray, np.ndarray]:
    """x − Φ(x_t), Φ the end of the sampler's path t, t − 100, … > 0 (arXiv 2605.09071)."""
    ours = world.run("pfd", gamma_fwd=world.scale, inversion=GivenNoise(world.noise), tau=0.0)
    aim = np.zeros_like(world.x)
    for view, t in enumerate(world.times):
        noisy = world.noisy(world.times)
        for now in range(t, 0, -100):
            noise = world.cfg(noisy, now, world.scale)
            aim[view] = world.clean(noisy, now, noise)[view]
            noisy = world.ddim(noisy, now, max(now - 100, 0), noise)
    return ours, world.x - aim


def lengths(values: np.ndarray) -> np.ndarray:
    """The 2-norm of each view."""
    return np.sqrt((values**2).sum(axis=(1, 2, 3)))


EQUATIONS = {f.__name__: f for f in (pfd,)}


@pytest.mark.parametrize("bound", ["none", "target", "all"])
@pytest.mark.parametrize("modes", [1, 3], ids=["gaussian", "mixture"])
@pytest.mark.parametrize("equation", EQUATIONS.values(), ids=EQUATIONS)
def test_the_loss_s_gradient_is_the_equation(equation: Callable, modes: int, bound: str) -> None:
    for seed in range(4):
        world = World(seed, modes=modes, bound=bound)
        ours, expected = equation(world)
        size = lengths(expected)
        assert size.min() > 0
        # bounded predictions may nearly cancel: their rounding is that of the noise
        least = np.linalg.norm(world.noise) * (bound != "none")
        assert (lengths(ours - expected) <= TOLERANCE * np.maximum(size, least)).all()


def test_each_has_its_equation() -> None:
    assert set(EQUATIONS) == RIVALS

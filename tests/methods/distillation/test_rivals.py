"""Methods since 2024 against their equations, derived again in numpy on priors whose noise is exact.

Each update is compared in batches of three views with three different timesteps, in double precision, and with
rescaled guidance too.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
import torch
from closed_form_world import RIVALS, SHAPE, TRAINED, GivenNoise, World, lengths

from methods.distillation import methods

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


def later(world: World, share: float, above: int) -> np.ndarray:
    """t + Δ, Δ being the whole part of a share of t − ``above`` that the timesteps' stream draws."""
    drawn = torch.rand(3, generator=torch.Generator().manual_seed(world.seed)).numpy()
    return world.times + (np.float32(share) * np.maximum(world.times - above, 0) * drawn).astype(int)


def asyncsd(world: World) -> tuple[np.ndarray, np.ndarray]:
    """(1 − ᾱ)·(ε̂(x_t) − ε_y(x_{t+Δ})), t_min = 0.02·T at the last step (arXiv 2407.02040)."""
    ours = world.run("asyncsd", guidance_scale=world.scale, inversion=GivenNoise(world.noise))
    t, after = world.times, later(world, 0.1, 20)
    assert (after > t).any()
    subtracted = world.cfg(world.noisy(after), after, 1.0)
    return ours, (1 - world.level(t)) * (world.cfg(world.noisy(t), t, world.scale) - subtracted)


def asyncsd_perp_neg(world: World) -> tuple[np.ndarray, np.ndarray]:
    """With half of the weights of Perp-Neg, and none in the subtracted term."""
    ours = world.run("asyncsd", guidance_scale=world.scale, inversion=GivenNoise(world.noise), perp_neg=True)
    t, after = world.times, later(world, 0.1, 20)
    subtracted = world.cfg(world.noisy(after), after, 1.0)
    return ours, (1 - world.level(t)) * (world.perp(world.noisy(t), t, world.scale, 0.5) - subtracted)


def dsd(world: World) -> tuple[np.ndarray, np.ndarray]:
    """(1 − ᾱ)·(ε̂(x_t) − ε_y(x_{t+δ})), κ = ε̂ where the sampler's path from x_T is at t + δ (arXiv 2412.06780)."""
    scale = 7.5  # the path's own too
    ours = world.run("dsd", guidance_scale=scale)
    t, after = world.times, later(world, 0.1, 320)
    first = torch.randn(SHAPE[1:], generator=torch.Generator().manual_seed(world.seed)).double().numpy()
    kappa = np.zeros(SHAPE)
    for view, end in enumerate(after):
        point = np.broadcast_to(first, SHAPE)
        path = [*(now for now in (999, 899, 799, 699, 599, 499, 399, 299, 199, 99) if now > end), end]
        for now, then in pairwise(path):
            point = world.ddim(point, now, then, world.cfg(point, now, scale))
        kappa[view] = world.cfg(point, end, scale)[view]
    subtracted = world.cfg(world.noisy(after, kappa), after, 1.0)
    return ours, (1 - world.level(t)) * (world.cfg(world.noisy(t, kappa), t, scale) - subtracted)


def bridge(world: World) -> tuple[np.ndarray, np.ndarray]:
    """S·(ε_y − ε_source) in the second stage (arXiv 2406.09417)."""
    ours = world.run("bridge", inversion=GivenNoise(world.noise), weight=40.0)
    noisy, t = world.noisy(world.times), world.times
    return ours, 40 * (world.cfg(noisy, t, 1.0) - world.cfg(noisy, t, 0.0, world.bad))


def bridge_first(world: World) -> tuple[np.ndarray, np.ndarray]:
    """SDS in the first."""
    given = GivenNoise(world.noise)
    ours = world.run("bridge", progress=0.79, guidance_scale=world.scale, inversion=given)
    noisy, t = world.noisy(world.times), world.times
    return ours, (1 - world.level(t)) * (world.cfg(noisy, t, world.scale) - world.noise)


def bsd(world: World) -> tuple[np.ndarray, np.ndarray]:
    """λ·‖ε_∅ − ε‖·√(1 − ᾱ) times the shortest vector between c and d, by search (arXiv 2407.13976)."""
    ours = world.run("bsd", inversion=GivenNoise(world.noise))
    noisy, t = world.noisy(world.times), world.times
    null = world.cfg(noisy, t, 0.0)
    c, d = world.cfg(noisy, t, 1.0) - null, 1.25 * (null - world.noise)
    found = np.zeros(SHAPE)
    for view in range(len(found)):
        # the squared length is a parabola in a, which three of its points determine
        start, middle, end = (((a * c[view] + (1 - a) * d[view]) ** 2).sum() for a in (0.0, 0.5, 1.0))
        curvature, slope = 2 * (start - 2 * middle + end), 4 * middle - 3 * start - end
        a = min(max(-slope / (2 * curvature), 0.0), 1.0)
        found[view] = a * c[view] + (1 - a) * d[view]
    sizes = lengths(null - world.noise)[:, None, None, None]
    return ours, 0.1 * sizes * np.sqrt(1 - world.level(t)) / 50 * found


def bsd_standard(world: World) -> tuple[np.ndarray, np.ndarray]:
    """λ·√ᾱ times the shortest vector between 15·c and ε_∅ (``train_step_BSD``)."""
    released = {"standard": True, "text": 15.0, "denoising": 1.0, "weight": 0.1}
    ours = world.run("bsd", inversion=GivenNoise(world.noise), **released)
    noisy, t = world.noisy(world.times), world.times
    null = world.cfg(noisy, t, 0.0)
    c = 15 * (world.cfg(noisy, t, 1.0) - null)
    a = np.clip(((null - c) * null).sum((1, 2, 3)) / ((null - c) ** 2).sum((1, 2, 3)), 0, 1)[:, None, None, None]
    return ours, 0.1 * np.sqrt(world.level(t)) * (a * c + (1 - a) * null)


def cds(world: World) -> tuple[np.ndarray, np.ndarray]:
    """ε̂(z_t) − ε̂(z_s) with an Euler step of z = x + σ ε between them (arXiv 2401.09050)."""
    ours = world.run("cds", last_guidance_scale=world.scale, inversion=GivenNoise(world.noise))
    gap = torch.randint(100, 300, (3,), generator=torch.Generator().manual_seed(world.seed)).numpy()
    s = np.minimum(world.times, 880)
    t = np.minimum(s + gap, 980)
    assert world.out.timesteps.tolist() == t.tolist()
    at, before = (np.sqrt((1 - world.level(time)) / world.level(time)) for time in (t, s))
    z = world.x + at * world.noise
    first = world.cfg(z / np.sqrt(1 + at**2), t, world.scale)
    nearer = z + (before - at) * first
    return ours, first - world.cfg(nearer / np.sqrt(1 + before**2), s, world.scale)


def tsm(world: World) -> tuple[np.ndarray, np.ndarray]:
    """λ·σ(t)·(ε̂_y(x_t) − ε_∅(x_μ)), μ = s + (t − s)·√(1 − γ²) (arXiv 2405.11252); ISM's t is one for all views."""
    t = int(world.times[0])
    world.times = np.full(3, t)
    ours = world.run("tsm", guidance_scale=world.scale, trajectory_gamma=0.6)
    s, noisy = max(t - 80, 0), world.x
    for now, then in pairwise([*range(0, s, 200), s]):
        noisy = world.ddim(noisy, now, then, world.cfg(noisy, now, 0.0, inverting=True))
    first = world.cfg(noisy, s, 0.0, inverting=True)
    middle = s + round(0.8 * (t - s))
    subtracted = world.cfg(world.ddim(noisy, s, middle, first), middle, 0.0)
    guided = world.cfg(world.ddim(noisy, s, t, first), t, world.scale, world.bad)
    return ours, 0.1 * np.sqrt((1 - world.level(t)) / world.level(t)) * (guided - subtracted)


def rfds(world: World) -> tuple[np.ndarray, np.ndarray]:
    """(ε̂ − ε)/(1 − s), s the time at which a flow has this SNR, guided away from the negative (arXiv 2406.03293)."""
    ours = world.run("rfds", guidance_scale=world.scale, inversion=GivenNoise(world.noise))
    guided = world.cfg(world.noisy(world.times), world.times, world.scale, world.bad)
    return ours, (guided - world.noise) / (1 - flow_time(world))


def rfds_rev(world: World) -> tuple[np.ndarray, np.ndarray]:
    """The same with the noise that is predicted under the prompt at a drawn one."""
    ours = world.run("rfds-rev", guidance_scale=world.scale)
    first = torch.randn(SHAPE, generator=torch.Generator().manual_seed(world.seed)).double().numpy()
    kappa = world.cfg(world.noisy(world.times, first), world.times, 1.0, inverting=True)
    guided = world.cfg(world.noisy(world.times, kappa), world.times, world.scale, world.bad)
    return ours, (guided - kappa) / (1 - flow_time(world))


def flow_time(world: World) -> np.ndarray:
    """s with ((1 − s)/s)² = ᾱ/(1 − ᾱ)."""
    a = world.level(world.times)
    return 1 / (1 + np.sqrt(a / (1 - a)))


EQUATIONS = {
    f.__name__: f
    for f in (
        pfd,
        asyncsd,
        asyncsd_perp_neg,
        dsd,
        bridge,
        bridge_first,
        bsd,
        bsd_standard,
        cds,
        tsm,
        rfds,
        rfds_rev,
    )
}


@pytest.mark.parametrize("bound", ["none", "target", "all"])
@pytest.mark.parametrize("modes", [1, 3], ids=["gaussian", "mixture"])
@pytest.mark.parametrize("equation", EQUATIONS.values(), ids=EQUATIONS)
def test_the_loss_s_gradient_is_the_equation(equation: Callable, modes: int, bound: str) -> None:
    for seed in range(4):
        world = World(seed, modes=modes, bound=bound, rescale=0.7 * (seed % 2))
        ours, expected = equation(world)
        size = lengths(expected)
        assert size.min() > 0
        # bounded predictions may nearly cancel: their rounding is that of the noise
        least = np.linalg.norm(world.noise) * (bound != "none")
        assert (lengths(ours - expected) <= TOLERANCE * np.maximum(size, least)).all()


def test_each_has_its_equation() -> None:
    assert set(EQUATIONS) | TRAINED >= RIVALS


@pytest.mark.parametrize(
    ("name", "settings", "message"),
    [
        ("asyncsd", {"shift": -0.1}, r"shift: -0.1 is not within 0 and 1"),
        ("asyncsd", {"shift_above": (0.5, 2.0)}, r"shift_above: \(0.5, 2.0\) is not within 0 and 1"),
        ("dsd", {"shift_above": 1.5}, r"shift_above: 1.5 is not within 0 and 1"),
        ("bsd", {"text": 0.0}, r"text: 0.0 is not a positive factor"),
        ("hifa", {"eta": 1.5}, r"eta: 1.5 is not within 0 and 1"),
        ("hifa", {"constant_weight": 0.0}, r"constant_weight: 0.0 is not a positive weight"),
        ("bridge", {"switch": 2.0}, r"switch: 2.0 is not a progress from 0 to 1"),
        ("tsm", {"trajectory_gamma": 1.5}, r"trajectory_gamma: 1.5 is not within 0 and 1"),
        ("ism-code", {"trajectory_gamma": -1.0}, r"trajectory_gamma: -1.0 is not within 0 and 1"),
        ("cds", {"gap": (0.3, 0.1)}, r"gap: \(0.3, 0.1\) is not an increasing pair of fractions of T above 0"),
    ],
)
def test_impossible_settings_are_named(name: str, settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        methods[name](**settings)

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
import torch
from scipy.special import comb
from torch import Tensor

from methods.cameras import evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.density.relocation import Relocation, relocated
from methods.scenes.gaussians.gaussians import Gaussians, GaussianScene
from methods.scenes.gaussians.rotation import rotation_matrix

NAMES = ("means", "log_scales", "rotations", "opacity_logits", "harmonics")


def build(count: int = 12, seed: int = 0, **settings: Any) -> GaussianScene:
    density = Relocation(**{"every": 1, **settings})
    return Gaussians(count=count, density=density).build(GaussianPrior(), torch.Generator().manual_seed(seed))


def optimiser_of(scene: GaussianScene, seed: int = 1) -> torch.optim.Adam:
    """An optimiser with moments of a step that moves nothing far."""
    optimiser = torch.optim.Adam(scene.parameter_groups())
    draws = torch.Generator().manual_seed(seed)
    for parameter in scene.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=draws)
    optimiser.step()
    return optimiser


def optimiser_of_untouched(scene: GaussianScene) -> torch.optim.Adam:
    return torch.optim.Adam(scene.parameter_groups())


def control(scene: GaussianScene, optimiser: torch.optim.Optimizer, step: int = 1, seed: int = 0) -> None:
    scene.before_step(0.5)
    scene.after_step(step, optimiser, torch.Generator().manual_seed(seed))


def equation_9(opacity: float, count: int) -> tuple[float, float]:
    """New opacity and factor on the size, as the paper's double sum has them."""
    new = 1 - (1 - opacity) ** (1 / count)
    total = 0.0
    for i in range(1, count + 1):
        for k in range(i):
            total += comb(i - 1, k, exact=True) * (-1) ** k / math.sqrt(k + 1) * new ** (k + 1)
    return new, opacity / total


@pytest.mark.parametrize("opacity", [0.02, 0.1, 0.5, 0.9, 0.99])
@pytest.mark.parametrize("count", [1, 2, 3, 7, 20])
def test_opacity_and_size_are_those_of_the_double_sum(opacity: float, count: int) -> None:
    logit = torch.tensor([opacity], dtype=torch.float64).logit()
    logits, factor = relocated(logit, torch.tensor([count]), 1e-4)
    new, expected = equation_9(opacity, count)
    assert float(logits.sigmoid()) == pytest.approx(new, rel=1e-12)
    assert float(factor) == pytest.approx(expected, rel=1e-9)


def test_a_number_at_which_the_terms_of_the_sum_cancel_is_still_exact() -> None:
    """Terms up to 1e+44: the sum in exact fractions, with roots of 60 digits."""
    count, opacity = 300, 0.9
    logits, factor = relocated(torch.tensor([opacity], dtype=torch.float64).logit(), torch.tensor([count]), 1e-4)
    new = Fraction(float(logits.sigmoid()))
    total = sum(
        (-1) ** (j + 1) * comb(count, j, exact=True) * new**j / Fraction(math.isqrt(j * 10**120), 10**60)
        for j in range(1, count + 1)
    )
    assert float(factor) == pytest.approx(opacity / float(total), rel=1e-9)


def test_the_image_of_coincident_ones_is_that_of_the_one() -> None:
    """Exact in the middle and along a line through it; elsewhere, eq. 9 is the paper's approximation."""
    cameras, found = evaluation_ring(2), {}
    for count in (1, 2, 5):
        scene = build(count)
        with torch.no_grad():
            logits, factor = relocated(torch.full((count,), 2.0), torch.full((count,), count), 0.005)
            scene.means.zero_()
            scene.log_scales.copy_(torch.tensor([0.3, 0.2, 0.25]).log() + factor.log()[:, None])
            scene.rotations.copy_(torch.tensor([0.9, 0.3, -0.2, 0.1]).expand(count, 4))
            scene.opacity_logits.copy_(logits)
            scene.harmonics.copy_(torch.tensor([0.5, -0.3, 0.9]).expand(count, 1, 3))
            found[count] = scene.render(cameras, resolution=99, background=torch.zeros(2, 3))
    assert float(found[1].opacity.max()) > 0.85
    for count in (2, 5):
        assert found[count].opacity[:, :, 49, 49] == pytest.approx(found[1].opacity[:, :, 49, 49], rel=0.002)
        assert found[count].rgb[:, :, 49, 49].numpy() == pytest.approx(found[1].rgb[:, :, 49, 49].numpy(), rel=0.002)
        # through the middle; the low-pass widens by 0.3 pixels², of 80 or more
        across, alone = (each.opacity[0, 0, 49].sum() for each in (found[count], found[1]))
        assert float(across) == pytest.approx(float(alone), rel=0.02)
        assert float((found[count].opacity - found[1].opacity).abs().max()) < 0.1


def kill(scene: GaussianScene, dead: list[int], live: dict[int, float]) -> None:
    """Give the Gaussians in ``dead`` next to no opacity, and those in ``live`` one; the others are dead too."""
    with torch.no_grad():
        scene.opacity_logits.fill_(-9.0)
        for index, opacity in live.items():
            scene.opacity_logits[index] = math.log(opacity / (1 - opacity))
    assert (scene.opacity_logits.sigmoid() < 0.005).nonzero()[:, 0].tolist() == dead


def test_the_dead_become_copies_of_live_ones() -> None:
    scene = build(12, noise=0.0)
    optimiser = optimiser_of(scene)
    dead = [0, 1, 2, 4, 5, 6, 7, 8, 10, 11]
    kill(scene, dead, {3: 0.9, 9: 0.6})
    before = {name: getattr(scene, name).detach().clone() for name in NAMES}
    kept = [id(parameter) for parameter in scene.parameters()]
    control(scene, optimiser)
    assert [id(parameter) for parameter in scene.parameters()] == kept
    groups: dict[int, list[int]] = {}
    for index in dead:
        [source] = [live for live in (3, 9) if torch.equal(scene.means[index], before["means"][live])]
        groups.setdefault(source, []).append(index)
    assert set(groups) == {3, 9}  # all draws on one have a chance of 0.6 ** 10
    for source, moved in groups.items():
        opacity = float(before["opacity_logits"][source].sigmoid())
        new, factor = equation_9(opacity, 1 + len(moved))
        for index in (source, *moved):
            assert float(scene.opacity_logits[index].detach().sigmoid()) == pytest.approx(new, rel=1e-5)
            expected = before["log_scales"][source] + math.log(factor)
            torch.testing.assert_close(scene.log_scales[index].detach(), expected, rtol=1e-5, atol=1e-5)
            for name in ("means", "rotations", "harmonics"):
                assert torch.equal(getattr(scene, name)[index], before[name][source])


def test_moments_of_the_moved_and_of_their_sources_are_zero_and_the_others_stay() -> None:
    scene = build(6, noise=0.0)
    optimiser = optimiser_of(scene)
    with torch.no_grad():
        scene.opacity_logits.copy_(torch.tensor([-9.0, 5.0, -4.0, -4.0, -4.0, -4.0]))
    before = {name: dict(optimiser.state[getattr(scene, name)]) for name in NAMES}
    before = {n: {k: v.clone() for k, v in state.items()} for n, state in before.items()}
    control(scene, optimiser)  # one dead, and 0.93 of the opacity is the second's
    moved = torch.equal(scene.means[0], scene.means[1])
    assert moved
    for name in NAMES:
        state = optimiser.state[getattr(scene, name)]
        assert state["step"] == 1
        for moment in ("exp_avg", "exp_avg_sq"):
            assert not state[moment][:2].any()
            assert torch.equal(state[moment][2:], before[name][moment][2:])
            assert state[moment][2:].all()


def test_live_ones_are_drawn_in_proportion_to_their_opacity() -> None:
    scene = build(4001, noise=0.0)
    with torch.no_grad():
        scene.opacity_logits.fill_(-20.0)
        scene.opacity_logits[:2] = torch.tensor([0.2, 0.6]).logit()
    places = scene.means.detach()[:2].clone()
    control(scene, optimiser_of_untouched(scene))
    share = float((scene.means[2:] == places[1]).all(-1).float().mean())
    assert share == pytest.approx(0.75, abs=0.03)
    assert bool(scene.opacity_logits.isfinite().all())
    assert bool(scene.log_scales.isfinite().all())  # a thousand at one place


@pytest.mark.parametrize("logits", [[-9.0] * 4, [math.nan] * 4, [math.inf] * 4, [math.nan, -9.0, -9.0, -9.0]])
def test_without_a_dead_or_a_live_one_nothing_is_moved(logits: list[float]) -> None:
    scene = build(4, noise=0.0)
    optimiser = optimiser_of(scene)
    with torch.no_grad():
        scene.opacity_logits.copy_(torch.tensor(logits))
    before = [parameter.detach().clone() for parameter in scene.parameters()]
    control(scene, optimiser)
    for one, other in zip(before, scene.parameters(), strict=True):
        torch.testing.assert_close(other.detach(), one, rtol=0, atol=0, equal_nan=True)


def test_an_opacity_of_one_is_shared_out() -> None:
    scene = build(4, noise=0.0)
    with torch.no_grad():
        scene.opacity_logits.copy_(torch.tensor([math.inf, -9.0, -9.0, -9.0]))
    control(scene, optimiser_of_untouched(scene))
    assert bool(scene.opacity_logits.isfinite().all())
    assert bool(scene.log_scales.isfinite().all())
    assert float(1 - (1 - scene.opacity_logits.detach().sigmoid()).prod()) > 0.999


@pytest.mark.parametrize(
    ("step", "progress", "moves"), [(0, 0.5, 0), (10, 0.5, 1), (15, 0.5, 0), (20, 0.1, 0), (30, 0.9, 0), (40, 0.8, 1)]
)
def test_moves_at_its_times_only(step: int, progress: float, moves: bool) -> None:
    scene = build(4, every=10, start=0.2, end=0.8, noise=0.0)
    kill(scene, [1, 2, 3], {0: 0.5})
    scene.before_step(progress)
    scene.after_step(step, optimiser_of_untouched(scene), torch.Generator().manual_seed(0))
    assert bool((scene.means == scene.means[0]).all()) is bool(moves)


def covariance(scene: GaussianScene) -> Tensor:
    axes = rotation_matrix(scene.rotations) * scene.log_scales.exp()[:, None]
    return (axes @ axes.mT).detach()


def test_the_noise_is_that_of_the_published_formula() -> None:
    """As the paper's code and gsplat: covariance × normal × sigmoid(−100 (opacity − 0.005)) × step size × 5e5."""
    scene = build(50, every=1000)
    optimiser = optimiser_of(scene)
    with torch.no_grad():
        scene.opacity_logits.copy_(torch.linspace(-8, 3, 50))
        scene.log_scales.add_(torch.randn((50, 3), generator=torch.Generator().manual_seed(4)))
    before = scene.means.detach().clone()
    opacity, spread = scene.opacity_logits.detach().double().sigmoid().numpy(), covariance(scene).numpy()
    control(scene, optimiser, step=7, seed=5)
    drawn = torch.randn((50, 3), generator=torch.Generator().manual_seed(5)).numpy()
    size = 1 / (1 + np.exp(100 * (opacity - 0.005))) * 0.01 * 5e5
    expected = np.einsum("nij,nj->ni", spread, drawn * size[:, None])
    found = (scene.means.detach() - before).numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-5)
    assert abs(found[0]).max() > 100 * abs(found[-1]).max()


def test_the_noise_follows_the_step_size_and_zero_is_none() -> None:
    moved = []
    for noise, rate in ((5e5, 0.01), (5e5, 0.001), (0.0, 0.01)):
        scene = build(5, every=1000, noise=noise)
        optimiser = optimiser_of_untouched(scene)
        optimiser.param_groups[0]["lr"] = rate
        before = scene.means.detach().clone()
        control(scene, optimiser, step=7)
        moved.append(scene.means.detach() - before)
    torch.testing.assert_close(moved[0], 10 * moved[1], rtol=1e-3, atol=1e-7)
    assert moved[1].any()
    assert not moved[2].any()


def test_nothing_is_drawn_from_another_generator() -> None:
    """The same stream gives the same Gaussians, whatever the global state."""
    found = []
    for _ in range(2):
        scene = build(30)
        kill(scene, [*range(1, 30)], {0: 0.9})
        control(scene, optimiser_of_untouched(scene), seed=3)
        found.append(torch.cat([parameter.detach().flatten() for parameter in scene.parameters()]))
        torch.rand(5)
    assert torch.equal(*found)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": 0}, "every: 0 is not a positive number of steps"),
        ({"start": -0.1}, "start: -0.1 is not a progress between 0 and 1"),
        ({"start": 0.5, "end": 0.2}, r"end: 0.2 is not a progress between start \(0.5\) and 1"),
        ({"min_opacity": 0.0}, "min_opacity: 0.0 is not an opacity between 0 and 1"),
        ({"noise": -1.0}, "noise: -1.0 is not a factor of at least 0"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Relocation(**settings)

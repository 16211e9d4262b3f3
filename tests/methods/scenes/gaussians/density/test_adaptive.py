from __future__ import annotations

import math
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from methods.cameras import Cameras, evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.composition import composite
from methods.scenes.gaussians.density.adaptive import Adaptive
from methods.scenes.gaussians.gaussians import Gaussians, GaussianScene
from methods.scenes.gaussians.projection import project
from methods.scenes.gaussians.rotation import rotation_matrix

NAMES = ("means", "log_scales", "rotations", "opacity_logits", "harmonics")
MOMENTS = ("exp_avg", "exp_avg_sq")


def build(count: int = 40, seed: int = 0, **settings: Any) -> GaussianScene:
    density = Adaptive(**{"every": 10, "start": 0.0, "end": 1.0, **settings})
    return Gaussians(count=count, density=density).build(GaussianPrior(), torch.Generator().manual_seed(seed))


def varied(count: int = 40, **settings: Any) -> GaussianScene:
    """Gaussians of many sizes and opacities, some too large and some too faint, and gradients of all sizes."""
    scene, draws = build(count, **settings), torch.Generator().manual_seed(8)
    with torch.no_grad():
        scene.log_scales.copy_(-3.5 + 1.3 * torch.randn((count, 3), generator=draws))
        scene.opacity_logits.copy_(-3 + 2 * torch.randn(count, generator=draws))
        scene.controller.gradient_sum.copy_(3 * 10 ** (-4 + 2 * torch.rand(count, generator=draws)))
        scene.controller.seen.copy_(torch.randint(0, 4, (count,), generator=draws).float())
    return scene


def optimiser_of(scene: GaussianScene, seed: int = 1) -> torch.optim.Adam:
    """An optimiser after a step of random gradients."""
    optimiser = torch.optim.Adam(scene.parameter_groups())
    draws = torch.Generator().manual_seed(seed)
    for parameter in scene.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=draws)
    optimiser.step()
    return optimiser


def control(scene: GaussianScene, optimiser: Any, step: int = 10, progress: float = 0.5, seed: int = 0) -> None:
    scene.before_step(progress)
    scene.after_step(step, optimiser, torch.Generator().manual_seed(seed))


@dataclass
class One:
    """A Gaussian of the slow implementation, with its moments."""

    values: dict[str, np.ndarray]
    moments: dict[tuple[str, str], np.ndarray] = field(default_factory=dict)

    def copy(self) -> One:
        """A new one, without moments."""
        zeros = {key: np.zeros_like(value) for key, value in self.moments.items()}
        return One({name: value.copy() for name, value in self.values.items()}, zeros)

    @property
    def size(self) -> float:
        return float(np.exp(self.values["log_scales"]).max())

    @property
    def opacity(self) -> float:
        return 1 / (1 + math.exp(-float(self.values["opacity_logits"])))


def gaussians_of(scene: GaussianScene, optimiser: torch.optim.Optimizer) -> list[One]:
    found = []
    for index in range(len(scene.means)):
        parameters = {name: getattr(scene, name) for name in NAMES}
        values = {name: parameter.detach()[index].double().numpy() for name, parameter in parameters.items()}
        moments = {
            (name, moment): optimiser.state[parameter][moment][index].double().numpy()
            for name, parameter in parameters.items()
            for moment in MOMENTS
        }
        found.append(One(values, moments))
    return found


def slowly(given: list[One], means: list[float], settings: Adaptive, step: int, seed: int) -> list[One]:
    """One Gaussian at a time: densify_and_clone, densify_and_split and prune of 3D Gaussian Splatting."""
    most_wanted = sorted(range(len(given)), key=lambda index: (-means[index], index))
    room = settings.most - len(given)
    chosen = [index for index in most_wanted if means[index] > settings.gradient][: max(0, room)]
    result = [one for index, one in enumerate(given) if index not in chosen or one.size <= settings.split_size]
    result += [one.copy() for index, one in enumerate(given) if index in chosen and one.size <= settings.split_size]
    split = [one for index, one in enumerate(given) if index in chosen and one.size > settings.split_size]
    draws = iter(torch.randn((2 * len(split), 3), generator=torch.Generator().manual_seed(seed)).double().numpy())
    for _ in range(2):
        for one in split:
            half = one.copy()
            w, x, y, z = one.values["rotations"]
            turn = Rotation.from_quat([x, y, z, w])
            half.values["means"] = one.values["means"] + turn.apply(np.exp(one.values["log_scales"]) * next(draws))
            half.values["log_scales"] = np.log(np.exp(one.values["log_scales"]) / 1.6)
            result.append(half)
    largest = settings.largest if step > settings.reset_every else math.inf
    return [one for one in result if one.opacity >= settings.min_opacity and one.size <= largest]


def assert_same(scene: GaussianScene, optimiser: torch.optim.Optimizer, expected: list[One]) -> None:
    found = gaussians_of(scene, optimiser)
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        for name in NAMES:
            np.testing.assert_allclose(one.values[name], other.values[name], rtol=1e-5, atol=1e-6, err_msg=name)
        for key, value in one.moments.items():
            np.testing.assert_array_equal(value, other.moments[key], err_msg=str(key))


@pytest.mark.parametrize("step", [10, 310])
@pytest.mark.parametrize("most", [1000, 45, 40])
def test_equals_an_implementation_that_takes_one_at_a_time(step: int, most: int) -> None:
    scene = varied(most=most, largest=0.12, split_size=0.06)
    optimiser = optimiser_of(scene)
    given = gaussians_of(scene, optimiser)
    controller, settings = scene.controller, scene.settings.density
    means = [float(a) / max(1.0, float(b)) for a, b in zip(controller.gradient_sum, controller.seen, strict=True)]
    control(scene, optimiser, step, seed=6)
    splits = sum(mean > settings.gradient and one.size > 0.06 for mean, one in zip(means, given, strict=True))
    if most == 1000:
        assert splits > 4  # the case has all kinds
        assert sum(mean > settings.gradient and one.size <= 0.06 for mean, one in zip(means, given, strict=True)) > 4
        assert sum(one.opacity < 0.005 for one in given) > 1
        assert len(scene.means) > 45 or step > 300  # then the large ones go
    assert_same(scene, optimiser, slowly(given, means, settings, step, 6))
    assert len(scene.means) <= most
    for name in ("gradient_sum", "seen"):
        assert getattr(controller, name).tolist() == [0.0] * len(scene.means)


def test_the_optimiser_goes_on_with_the_new_ones() -> None:
    scene = varied()
    optimiser = optimiser_of(scene)
    control(scene, optimiser)
    assert len(scene.means) > 40
    for group, made in zip(optimiser.param_groups, scene.parameter_groups(), strict=True):
        assert (group["name"], group["lr"]) == (made["name"], made["lr"])
        assert [id(parameter) for parameter in group["params"]] == [id(parameter) for parameter in made["params"]]
    assert set(optimiser.state) == set(scene.parameters())
    assert [name for name, _ in scene.named_parameters()] == list(NAMES)
    before = scene.means.detach().clone()
    scene.render(evaluation_ring(2), resolution=16, background=torch.ones(2, 3), training=True).rgb.sum().backward()
    optimiser.step()
    assert not torch.equal(scene.means, before)
    assert all(state["step"] == 2 for state in optimiser.state.values())


def test_an_optimiser_without_a_step_has_no_moments_to_carry() -> None:
    scene = varied()
    optimiser = torch.optim.Adam(scene.parameter_groups())
    control(scene, optimiser)
    assert not optimiser.state
    assert optimiser.param_groups[0]["params"][0] is scene.means


def norms(scene: GaussianScene, cameras: Cameras, side: int) -> tuple[Tensor, Tensor]:
    """Norms ``(b n)`` of the gradient of one image's sum of squares by the centres, each camera on its own, and which
    Gaussians it sees.
    """
    found, seen = [], []
    for view in range(len(cameras)):
        axes = rotation_matrix(scene.rotations) * scene.log_scales.exp()[:, None]
        ellipses = project(scene.means, axes @ axes.mT, cameras[view : view + 1], side)
        leaf = ellipses.centres.detach().requires_grad_()
        colours = (0.5 + 0.28209479177387814 * scene.harmonics[:, 0]).clamp(min=0)[None]
        opacity = scene.opacity_logits.sigmoid()
        sums, covered = composite(ellipses._replace(centres=leaf), opacity, colours, side)
        loss = (sums + 1 - covered).square().sum()
        [slope] = torch.autograd.grad(loss, leaf)
        found.append(slope[0].norm(dim=-1) * side / 2)
        xx, xy, yy = ellipses.covariance[0].detach().unbind(-1)
        widest = torch.linalg.eigvalsh(torch.stack([xx, xy, xy, yy], -1).view(-1, 2, 2))[:, 1].sqrt()
        away = (leaf.detach()[0] - side / 2).abs().amax(1) - side / 2  # of the centre from the image
        seen.append((away < 3 * widest) & ellipses.is_seen[0])
    return torch.stack(found).detach(), torch.stack(seen)


def test_gradients_of_several_views_and_renders_are_those_of_each_image_alone() -> None:
    """A loss is a mean over the views of a render; the sums are of each view's own gradient, in half sides."""
    scene = build(30)
    with torch.no_grad():
        scene.means[:5] += 20.0  # behind the cameras, or beyond the edge of the image
        scene.means[5] = torch.tensor([0.0, 1.4, 0.0])
    renders = [(evaluation_ring(3), 16), (evaluation_ring(2, elevation_deg=40.0), 24)]
    expected_sum, expected_seen = torch.zeros(30), torch.zeros(30)
    loss = torch.zeros(())
    for cameras, side in renders:
        by_view, seen = norms(scene, cameras, side)
        expected_sum += by_view.sum(0)
        expected_seen += seen.sum(0)
        shown = scene.render(cameras, resolution=side, background=torch.ones(len(cameras), 3), training=True)
        loss = loss + shown.rgb.square().sum((1, 2, 3)).mean()
    loss.backward()
    assert expected_seen.min() == 0
    assert 0 < expected_seen[5] < 5  # only some cameras see it
    assert torch.equal(scene.controller.seen, expected_seen)
    torch.testing.assert_close(scene.controller.gradient_sum, expected_sum, rtol=1e-4, atol=1e-5)
    assert expected_sum.max() > 1


def test_renders_of_an_evaluation_do_not_count() -> None:
    scene = build()
    look = {"resolution": 16, "background": torch.ones(2, 3)}
    scene.render(evaluation_ring(2), **look).rgb.sum().backward()
    with torch.no_grad():
        scene.render(evaluation_ring(2), training=True, **look)
    assert not scene.controller.seen.any()


def test_a_reset_caps_the_opacities_and_forgets_their_moments() -> None:
    scene = varied(reset_every=30, every=1000)
    optimiser = optimiser_of(scene)
    before = {name: getattr(scene, name).detach().clone() for name in NAMES}
    moments = optimiser.state[scene.means]["exp_avg"].clone()
    control(scene, optimiser, 29)
    assert torch.equal(scene.opacity_logits, before["opacity_logits"])
    control(scene, optimiser, 30)
    opacity, old = scene.opacity_logits.detach().sigmoid(), before["opacity_logits"].sigmoid()
    torch.testing.assert_close(opacity, old.clamp(max=0.01), rtol=1e-5, atol=0)
    assert float(old.max()) > 0.3
    for moment in MOMENTS:
        assert not optimiser.state[scene.opacity_logits][moment].any()
    assert optimiser.state[scene.opacity_logits]["step"] == 1
    assert torch.equal(optimiser.state[scene.means]["exp_avg"], moments)
    assert torch.equal(scene.means, before["means"])


@pytest.mark.parametrize(
    ("step", "progress", "changes"), [(0, 0.5, 0), (10, 0.5, 1), (15, 0.5, 0), (20, 0.1, 0), (30, 0.9, 0), (40, 0.8, 1)]
)
def test_changes_at_its_times_only(step: int, progress: float, changes: bool) -> None:
    scene = varied(start=0.2, end=0.8, reset_every=10)
    opacity = scene.opacity_logits.detach().clone()
    control(scene, optimiser_of(scene), step, progress)
    assert (len(scene.means) != 40) is bool(changes)
    assert (float(scene.opacity_logits.detach().sigmoid().max()) < 0.011) is bool(changes), opacity


def test_a_prune_of_everything_leaves_a_scene_that_shows_the_background_and_can_be_stepped() -> None:
    scene = build(20, gradient=1e9)
    optimiser = optimiser_of(scene)
    with torch.no_grad():
        scene.opacity_logits.fill_(-8.0)
    control(scene, optimiser)
    assert [len(parameter) for parameter in scene.parameters()] == [0] * 5
    grey = torch.tensor([[0.2, 0.4, 0.6], [0.1, 0.3, 0.5]])
    for step in (11, 20):  # the second is a step of the control
        scene.before_step(0.5)
        shown = scene.render(evaluation_ring(2), resolution=8, background=grey, training=True, outputs=("normals",))
        assert torch.equal(shown.rgb, grey[:, :, None, None].expand(2, 3, 8, 8))
        assert not shown.opacity.any()
        assert not shown.depth.any()
        assert not shown.normals.any()
        assert shown.diagnostics == {"gaussians": 0.0, "cap_reached": 0.0}
        optimiser.zero_grad()
        shown.rgb.sum().backward()
        optimiser.step()
        scene.after_step(step, optimiser, torch.Generator().manual_seed(0))
    assert len(scene.means) == 0


def test_the_cap_is_in_the_diagnostics_of_a_render() -> None:
    scene = varied(most=42)
    optimiser = optimiser_of(scene)

    def numbers() -> Any:
        shown = scene.render(evaluation_ring(1), resolution=8, background=torch.ones(1, 3), training=True)
        return dict(shown.diagnostics)

    assert numbers() == {"gaussians": 40.0, "cap_reached": 0.0}
    with torch.no_grad():
        scene.opacity_logits.fill_(0.0)  # none is pruned
    control(scene, optimiser)
    assert numbers() == {"gaussians": 42.0, "cap_reached": 1.0}
    scene.controller.gradient_sum += 100.0
    scene.controller.seen += 1
    control(scene, optimiser, 20)
    assert numbers() == {"gaussians": 42.0, "cap_reached": 1.0}


def test_gradients_that_are_not_numbers_add_none() -> None:
    scene = varied(min_opacity=1e-9, largest=1e9)
    scene.controller.gradient_sum.fill_(math.nan)
    control(scene, optimiser_of(scene))
    assert len(scene.means) == 40


def test_a_new_scene_loads_one_that_has_grown() -> None:
    grown, fresh = varied(), build()
    optimiser = optimiser_of(grown)
    control(grown, optimiser)
    grown.controller.seen += 2
    fresh.resize(grown.state_dict())
    fresh.load_state_dict(grown.state_dict())
    for name, value in grown.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value), name
    other = torch.optim.Adam(fresh.parameter_groups())
    other.load_state_dict(deepcopy(optimiser.state_dict()))
    for scene, adam in ((grown, optimiser), (fresh, other)):
        scene.render(evaluation_ring(2), resolution=16, background=torch.ones(2, 3), training=True).rgb.sum().backward()
        adam.step()
        control(scene, adam, 20)
    for name, value in grown.state_dict().items():
        assert torch.equal(fresh.state_dict()[name], value), name


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"every": 0}, "every: 0 is not a positive number of steps"),
        ({"start": 1.5}, "start: 1.5 is not a progress between 0 and 1"),
        ({"end": 0.01}, r"end: 0.01 is not a progress between start \(0.02\) and 1"),
        ({"gradient": 0.0}, "gradient: 0.0 is not a positive norm"),
        ({"split_size": 0.0}, "split_size: 0.0 is not a positive distance"),
        ({"min_opacity": 0.5}, "min_opacity: 0.5 is not an opacity between 0 and 0.5"),
        ({"largest": -1.0}, "largest: -1.0 is not a positive distance"),
        ({"reset_every": -1}, "reset_every: -1 is not a number of steps, or 0 for no reset"),
        ({"most": 0}, "most: 0 is not a positive number of Gaussians"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Adaptive(**settings)


def test_refuses_more_gaussians_than_the_cap() -> None:
    with pytest.raises(ValueError, match="most: 30 is not at least the 40 Gaussians before the first step"):
        build(40, most=30)

"""The limits of what a Gaussian can be: what is shown, and that an optimisation goes on."""

from __future__ import annotations

import math
from collections.abc import Callable

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.contracts import Rendering
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.gaussians.composition import MOST
from methods.scenes.gaussians.density import density_controls
from methods.scenes.gaussians.density.density_control import DensityControl
from methods.scenes.gaussians.gaussians import Gaussians, GaussianScene

GREY = torch.tensor([[0.2, 0.4, 0.6], [0.1, 0.3, 0.5]])
CAMERAS = evaluation_ring(2, distance=3.0)


@pytest.fixture(params=["unchanged", "fixed", "adaptive"])
def density(request: pytest.FixtureRequest) -> DensityControl:
    kind = density_controls[request.param]
    return kind() if request.param == "unchanged" else kind(every=1, start=0.0, end=1.0)


def step(scene: GaussianScene) -> Rendering:
    """A render, and a step of the optimiser and of the density control after which all parameters must be finite."""
    optimiser = torch.optim.Adam(scene.parameter_groups(), eps=1e-15)
    scene.before_step(0.5)
    shown = scene.render(CAMERAS, resolution=16, background=GREY, generator=None, training=True, outputs=("normals",))
    finite_before = [bool(parameter.isfinite().all()) for parameter in scene.parameters()]
    (shown.rgb.square().sum() + shown.opacity.sum()).backward()
    for name, parameter in scene.named_parameters():
        assert parameter.grad is not None, name
        assert bool(parameter.grad.isfinite().all()), name
    optimiser.step()
    scene.after_step(1, optimiser, torch.Generator().manual_seed(0))
    assert [bool(parameter.isfinite().all()) for parameter in scene.parameters()] == finite_before
    for image in (shown.rgb, shown.opacity, shown.depth, shown.normals):
        assert bool(image.isfinite().all())
    return shown


def build(density: DensityControl, change: Callable[[GaussianScene], object], count: int = 30) -> GaussianScene:
    scene = Gaussians(count=count, density=density).build(GaussianPrior(), torch.Generator().manual_seed(0))
    with torch.no_grad():
        change(scene)
    return scene


def assert_background(shown: Rendering) -> None:
    assert torch.equal(shown.rgb, GREY[:, :, None, None].expand(2, 3, 16, 16))
    for image in (shown.opacity, shown.depth, shown.normals):
        assert not image.any()


def far_away(scene: GaussianScene) -> None:
    scene.means.add_(torch.tensor([0.0, 0.0, 500.0]))


def behind(scene: GaussianScene) -> None:
    """Behind the first camera, outside of the second one's image."""
    scene.means.mul_(0.1).add_(3 * CAMERAS.positions[0]).add_(torch.tensor([0.0, 9.0, 0.0]))


@pytest.mark.parametrize("change", [far_away, behind])
def test_cameras_that_see_no_gaussian_show_the_background(
    density: DensityControl, change: Callable[[GaussianScene], None]
) -> None:
    assert_background(step(build(density, change)))


@pytest.mark.parametrize("scale", [1e-8, 1e-40])
def test_a_gaussian_far_smaller_than_a_pixel_is_not_seen(density: DensityControl, scale: float) -> None:
    """The low-pass spreads it over a pixel, where 0.5 % of its opacity is left: less than 1/255 of the usual 0.1."""
    assert_background(step(build(density, lambda scene: scene.log_scales.fill_(math.log(scale)))))

    def opaque(scene: GaussianScene) -> None:
        scene.log_scales.fill_(math.log(scale))
        scene.opacity_logits.fill_(30.0)

    assert float(step(build(density, opaque, count=1)).opacity.detach().max()) <= 0.005


@pytest.mark.parametrize("logit", [30.0, 1e30, math.inf])
def test_an_opacity_of_one_is_cut(density: DensityControl, logit: float) -> None:
    """An infinite logit shows as a large one; in a cell it is a divergence, because it is not a finite number."""

    def change(scene: GaussianScene) -> None:
        scene.means.zero_()
        scene.log_scales.fill_(math.log(4.0))
        scene.opacity_logits.fill_(logit)

    shown = step(build(density, change, count=1))
    assert 0.99 * MOST < float(shown.opacity.detach().max()) <= MOST + 1e-6


def test_a_gaussian_behind_the_camera_changes_nothing(density: DensityControl) -> None:
    def one_behind(scene: GaussianScene) -> None:
        scene.means[0] = 2 * CAMERAS.positions[0]
        scene.log_scales[0] = math.log(0.5)
        scene.opacity_logits[0] = 5.0

    def one_less(scene: GaussianScene) -> None:
        one_behind(scene)
        scene.opacity_logits[0] = -20.0

    with_it, without = (step(build(density, change)) for change in (one_behind, one_less))
    assert torch.equal(with_it.rgb[0], without.rgb[0])
    assert not torch.equal(with_it.rgb[1], without.rgb[1])  # the camera on the other side sees it


def test_no_gaussians_show_the_background(density: DensityControl) -> None:
    """What is left when density control has removed all."""

    def remove(scene: GaussianScene) -> None:
        scene.resize({name: value[:0] for name, value in scene.state_dict().items()})

    scene = build(density, remove)
    shown = step(scene)
    assert_background(shown)
    assert shown.diagnostics["gaussians"] == 0

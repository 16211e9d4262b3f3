"""The scene of pixels: its renders and its gradients."""

from __future__ import annotations

import pytest
import torch

from methods.cameras import evaluation_ring
from methods.contracts import View
from methods.distillation import update_loss
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes.image import Image, ImageScene


def build(**settings: float) -> ImageScene:
    return Image(**settings).build(GaussianPrior(), torch.Generator().manual_seed(0))


def show(scene: ImageScene, views: int, resolution: int):
    return scene.render(evaluation_ring(views), resolution=resolution, background=torch.zeros(views, 3))


def test_all_cameras_see_the_same_opaque_image_of_the_logits() -> None:
    scene = build(side=8, initial_std=3.0)
    rendering = show(scene, 3, 8)
    expected = 1 / (1 + (-scene.values.detach().double()).exp())
    torch.testing.assert_close(rendering.rgb.double(), expected.expand(3, -1, -1, -1), atol=1e-6, rtol=0)
    assert rendering.opacity.shape == rendering.depth.shape == (3, 1, 8, 8)
    assert torch.equal(rendering.opacity, torch.ones(3, 1, 8, 8))


def test_the_first_image_is_the_init_stream_s() -> None:
    assert torch.equal(build(side=8).values, build(side=8).values)
    assert not torch.equal(
        build(side=8).values, Image(side=8).build(GaussianPrior(), torch.Generator().manual_seed(1)).values
    )
    assert float(build(initial_std=0.5).values.detach().std()) == pytest.approx(0.5, rel=0.03)


@pytest.mark.parametrize("resolution", [4, 32])
def test_another_resolution_keeps_the_mean_and_the_range(resolution) -> None:
    scene = build(side=16, initial_std=50.0)
    rgb = show(scene, 1, resolution).rgb.detach()
    assert rgb.shape == (1, 3, resolution, resolution)
    assert 0 <= float(rgb.min()) <= float(rgb.max()) <= 1
    torch.testing.assert_close(rgb.mean(dim=(2, 3)), show(scene, 1, 16).rgb.mean(dim=(2, 3)), atol=0.03, rtol=0)


def test_a_pixel_far_outside_still_comes_back() -> None:
    """A colour clamped at 1.2 would have no gradient; one of logit 6 (0.9975) has, and Adam follows it."""
    scene = build(side=2, initial_std=0.0)
    scene.values.data.fill_(6.0)
    optimiser = torch.optim.Adam(scene.parameter_groups())
    for _ in range(200):
        optimiser.zero_grad()
        (show(scene, 1, 2).rgb - 0.25).square().sum().backward()
        optimiser.step()
    torch.testing.assert_close(show(scene, 1, 2).rgb, torch.full((1, 3, 2, 2), 0.25), atol=0.02, rtol=0)


def test_the_update_reaches_the_pixels_through_the_encoder() -> None:
    """On the closed-form prior latents are 2·rgb − 1, so the chain rule gives the logits' gradient by hand."""
    prior, scene = GaussianPrior(), build(side=16)
    view = View(show(scene, 2, 16), evaluation_ring(2), prior)
    update = torch.randn(2, 3, 16, 16, generator=torch.Generator().manual_seed(5))
    update_loss(view.latents, update).backward()
    colour = scene.values.detach().sigmoid()
    expected = 2 * colour * (1 - colour) * update.mean(dim=0)
    torch.testing.assert_close(scene.values.grad, expected, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize(("field", "value"), [("side", 0), ("initial_std", -1.0), ("learning_rate", 0.0)])
def test_bad_settings_are_named(field, value) -> None:
    with pytest.raises(ValueError, match=f"{field}: {value} is not"):
        build(**{field: value})

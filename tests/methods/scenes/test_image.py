"""The scene of pixels: what it shows, what moves it, and what the harness makes of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.cells.run_cell import run_cell
from bench.study.expand import expand
from bench.study.study import load_study
from bench.watch.divergence import Status
from methods.cameras import evaluation_ring
from methods.contracts import View
from methods.distillation import update_loss
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.priors.loading import cached_prior
from methods.scenes import scenes
from methods.scenes.image import Image, ImageScene


def build(**settings: float) -> ImageScene:
    return Image(**settings).build(GaussianPrior(), torch.Generator().manual_seed(0))


def show(scene: Image, views: int, resolution: int):
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
    """Why logits: a colour clamped at 1.2 would have no gradient, one of logit 6 (0.9975) has, and Adam follows it."""
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


@pytest.mark.parametrize("name", ["image", "latent"])
def test_a_study_of_images_runs_to_its_end_with_the_opaque_check_off(name, tmp_path: Path) -> None:
    """A image is opaque throughout: with the bound at 1 nothing diverges, with any lower one everything does."""
    assert name in scenes
    statuses = {}
    for bound in (1.0, 0.99):
        path = tmp_path / f"flat-{bound}.toml"
        path.write_text(FLAT.format(name=name, bound=bound))
        cell = expand(load_study(path))[0]
        outcome = run_cell(cell, cached_prior("gaussian", "mode"))
        statuses[bound] = outcome.record.status
        assert outcome.record.failure is None
        assert outcome.rgb.shape == (2, 12, 12, 3)
        assert (outcome.rgb[0] == outcome.rgb[1]).all()
        assert set(cell.scene) <= {"name", "side", "initial_std", "learning_rate"}
    assert statuses == {1.0: Status.COMPLETED, 0.99: Status.OPAQUE}


FLAT = """
title = "Flat"
prior = "gaussian"
scorers = "toybox"
prompts = "toybox"
prompt_ids = ["blue-duck"]
steps = 6
view_prompts = "none"
metrics = ["ground_truth"]
baseline = "sds"
threads = 1
[scene]
name = "{name}"
[render]
resolution = 16
[evaluation]
views = 2
resolution = 12
[divergence]
patience = 3
opaque_opacity = {bound}
[methods.sds]
"""

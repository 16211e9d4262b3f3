from __future__ import annotations

from typing import Any

import pytest
import torch

from methods.cameras import Cameras, evaluation_ring
from methods.priors.closed_form.gaussian import GaussianPrior
from methods.scenes import scenes
from methods.scenes.gaussians.gaussians import GaussianRates, Gaussians, GaussianScene
from methods.scenes.gaussians.initialisations.ball import Ball
from prompts.toybox import ToyObject, render_object


def build(seed: int = 0, **settings: Any) -> GaussianScene:
    return Gaussians(**settings).build(GaussianPrior(), torch.Generator().manual_seed(seed))


def look(scene: GaussianScene, views: int = 2, side: int = 16, **how: Any) -> Any:
    return scene.render(evaluation_ring(views), resolution=side, background=torch.ones(views, 3), **how)


def test_is_registered() -> None:
    assert scenes["gaussians"] is Gaussians


def test_starts_as_a_grey_ball_in_front_of_every_camera() -> None:
    scene = build()
    assert 0.49 < float(scene.means.detach().norm(dim=1).max()) <= 0.5
    with torch.no_grad():
        shown = look(scene, 4, outputs=("normals",))
    middle = (slice(None), slice(None), slice(6, 10), slice(6, 10))
    assert float(shown.opacity[middle].min()) > 0.85
    assert shown.rgb[middle].mean() == pytest.approx(0.5, abs=0.05)
    assert shown.depth[middle].mean() == pytest.approx(2.8, abs=0.1)
    assert float(shown.opacity[:, :, 0].max()) == 0
    assert bool((shown.rgb[:, :, 0] == 1).all())
    assert bool((shown.depth[:, :, 0] == 0).all())


def test_the_same_seed_gives_the_same_bits_and_another_another_cloud() -> None:
    one, same, other = (build(seed).state_dict() for seed in (0, 0, 1))
    assert all(torch.equal(one[name], same[name]) for name in one)
    assert not torch.equal(one["means"], other["means"])


def test_the_distance_is_along_the_ray() -> None:
    """A wall of flat, opaque Gaussians across the line of sight is further away at the edge of the image."""
    scene = build(count=400, size=0.1)
    with torch.no_grad():
        across, up = torch.meshgrid(torch.linspace(-1.5, 1.5, 20), torch.linspace(-1.5, 1.5, 20), indexing="ij")
        scene.means.copy_(torch.stack([torch.zeros(400), across.flatten(), up.flatten()], dim=-1))
        scene.log_scales.copy_(torch.tensor([1e-3, 0.1, 0.1]).log().expand(400, 3))
        scene.rotations.copy_(torch.tensor([1.0, 0, 0, 0]).expand(400, 4))
        scene.opacity_logits.fill_(9.0)
    cameras = evaluation_ring(1, elevation_deg=0.0)
    with torch.no_grad():
        shown = scene.render(cameras, resolution=16, background=torch.ones(1, 3), outputs=("normals",))
    expected = 3 / -cameras.rays(16).directions[..., 0]
    assert float(shown.opacity.min()) > 0.9
    torch.testing.assert_close(shown.depth[:, 0], expected, rtol=0.02, atol=0)
    assert float((shown.normals[:, 0] / shown.opacity[:, 0]).min()) > 0.99  # towards the camera
    assert expected.max() > 1.04 * expected.min()


def _fall(start: float) -> tuple[float, float]:
    return start, start / 20


@pytest.mark.parametrize(
    ("count", "side", "steps", "least_db"),
    [(600, 32, 120, 19.5), pytest.param(2000, 64, 1000, 28.0, marks=pytest.mark.full_size)],
    ids=["small", "whole"],
)
def test_learns_an_object_from_images(count: int, side: int, steps: int, least_db: float) -> None:
    """24 views teach five others: optimisation works, whatever a diffusion prior then asks for."""
    train, held_out = evaluation_ring(24), evaluation_ring(48)[1::10]  # between those of the training
    toy = ToyObject("robot", "yellow", "plain")

    def truth(cameras: Cameras) -> torch.Tensor:
        origins, directions = cameras.rays(2 * side)
        return torch.stack([render_object(toy, *ray).over(1.0) for ray in zip(origins, directions, strict=True)])

    images, expected = truth(train), truth(held_out)
    rates = GaussianRates(
        means=_fall(0.008), scales=_fall(0.03), rotations=_fall(0.03), opacities=_fall(0.05), colours=_fall(0.03)
    )
    scene = build(count=count, size=0.03 * (2000 / count) ** (1 / 3), initialisation=Ball(0.7), learning_rates=rates)
    optimiser = torch.optim.Adam(scene.parameter_groups())
    draws = torch.Generator().manual_seed(1)
    for step in range(steps):
        some = torch.randint(24, (1,), generator=draws).tolist()
        scene.before_step(step / (steps - 1))
        shown = scene.render(train[some], resolution=side, background=torch.ones(1, 3)).rgb
        optimiser.zero_grad()
        (shown - images[some]).square().mean().backward()
        optimiser.step()
        scene.after_step(step, optimiser, draws)
    with torch.no_grad():
        found = scene.render(held_out, resolution=side, background=torch.ones(len(held_out), 3)).rgb
    assert -10 * torch.log10((found - expected).square().mean()) > least_db


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"count": 0}, "count: 0 is not a positive number of Gaussians"),
        ({"size": -1.0}, "size: -1.0 is not a positive distance"),
        ({"opacity": 1.0}, "opacity: 1.0 is not an opacity between 0 and 1"),
        ({"learning_rates": {"means": 0.0}}, "means: 0.0 is not a positive number"),
    ],
)
def test_refuses_bad_settings(settings: dict[str, Any], message: str) -> None:
    rates = settings.pop("learning_rates", None)
    with pytest.raises(ValueError, match=message):
        Gaussians(**settings) if rates is None else GaussianRates(**rates)

"""A window of one map of noise by the camera's angles, against a loop over pixels; see also published/test_cfd.py."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from seen_objects import balls, kappa, nothing, random_cameras

from methods.cameras import Cameras, evaluation_ring
from methods.contracts import Rendering
from methods.inversion.world_map import WorldMap


def at(elevation_deg: float, azimuth_deg: float) -> Cameras:
    return replace(
        evaluation_ring(1), elevation_deg=torch.tensor([elevation_deg]), azimuth_deg=torch.tensor([azimuth_deg])
    )


def full(cameras: Cameras, resolution: int = 24) -> Rendering:
    """A surface in every pixel."""
    return Rendering(None, *torch.ones(2, len(cameras), 1, resolution, resolution))


@pytest.mark.parametrize("span", [180.0, 90.0, 77.0, 360.0])
def test_each_latent_is_looked_up_on_the_map(span: float) -> None:
    """A loop over the latents of a batch of three random views, and of the limits of the angles."""
    strategy, side = WorldMap(span_deg=span), 12
    state = strategy.start(None)
    cameras = random_cameras(3, seed=1)
    edge = replace(
        cameras, elevation_deg=torch.tensor([90.0, -90.0, 0.0]), azimuth_deg=torch.tensor([180.0, -179.9, -0.01])
    )
    for each in (cameras, edge):
        rendering = balls(each, 60)
        found = kappa(strategy, rendering, each, side=side, state=state)
        noise = {name: value.numpy() for name, value in state["world_map"].values.items()}
        rows, columns = math.floor(180 / span * side), math.floor(360 / span * side)
        assert noise["map"].shape == (4, rows + side, columns)
        for view in range(3):
            down = math.floor((90 - float(each.elevation_deg[view])) * rows / 180)
            right = math.floor(float(each.azimuth_deg[view]) * columns / 360)
            for i in range(side):
                for j in range(side):
                    covered = rendering.opacity[view, 0, 5 * i : 5 * i + 5, 5 * j : 5 * j + 5].mean() >= 0.5
                    map_or_not = noise["map"][:, down + i, (right + j) % columns]
                    expected = map_or_not if covered else noise["background"][:, i, j]
                    assert np.array_equal(found[view, :, i, j].numpy(), expected)


def test_the_window_moves_with_the_angles_and_closes_around_the_object() -> None:
    """A latent is 180/12 = 15 degrees; the camera going right or up moves what it sees left or down."""
    strategy = WorldMap()
    state = strategy.start(None)

    def see(elevation_deg: float, azimuth_deg: float) -> torch.Tensor:
        camera = at(elevation_deg, azimuth_deg)
        return kappa(strategy, full(camera), camera, side=12, state=state)[0]

    here = see(7.0, 1.0)
    assert torch.equal(see(7.0, 31.0)[..., :-2], here[..., 2:])
    assert torch.equal(see(37.0, 1.0)[:, 2:], here[:, :-2])
    assert torch.equal(see(-8.0, 1.0)[:, :-1], here[:, 1:])  # no jump at the horizon
    assert torch.equal(see(7.0, 361.0), here)
    opposite = see(7.0, -179.0)
    assert abs(float((opposite * here).mean())) < 5 / here.numel() ** 0.5


def test_a_scene_without_a_depth_has_one_noise_for_all_cameras() -> None:
    strategy = WorldMap()
    state, cameras = strategy.start(None), random_cameras(3)
    flat = kappa(strategy, nothing(cameras, 24), cameras, side=12, state=state)
    assert all(torch.equal(view, state["world_map"].values["background"]) for view in flat)
    assert float(flat[0].std()) == pytest.approx(1, abs=5 * (0.5 / flat[0].numel()) ** 0.5)


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"span_deg": 0.0}, "span_deg: 0.0 is not a number of degrees in"),
        ({"span_deg": 400.0}, "span_deg: 400.0 is not a number of degrees in"),
        ({"opacity": 0.0}, "opacity: 0.0 is not a number in"),
        ({"renewal": -0.1}, "renewal: -0.1 is not zero or a positive weight"),
        ({"renewal": (0.0, 0.1, 2.0, 1.0)}, "renewal: .* is not a share of the noise in"),
    ],
)
def test_a_wrong_setting_is_one_line(setting, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        WorldMap(**setting)

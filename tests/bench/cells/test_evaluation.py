from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from bench.cells.evaluation import render_ring
from bench.cells.optimisation import Optimisation
from bench.study.cell import Cell
from methods.contracts import Prior
from methods.scenes.nerf.nerf import NeRFScene


@pytest.mark.parametrize(
    "settings", [{}, {"normals": {"kind": "analytic"}, "encoding": "hash_grid"}], ids=["default", "analytic"]
)
def test_normals_are_shown_and_change_no_bit_of_the_rest(
    cell: Cell, prior: Prior, settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    loop = Optimisation(cell.model_copy(update={"scene": cell.scene | settings}), prior)
    before = {name: stream.get_state() for name, stream in loop.streams.items()}
    images, mean = render_ring(loop)
    assert all(torch.equal(before[name], stream.get_state()) for name, stream in loop.streams.items())

    render = NeRFScene.render
    monkeypatch.setattr(
        NeRFScene, "render", lambda *arguments, **keywords: render(*arguments, **keywords | {"outputs": ()})
    )
    plain, plain_mean = render_ring(loop)
    assert plain.normals is None
    assert np.array_equal(plain.rgb, images.rgb)
    assert np.array_equal(plain.opacity, images.opacity)
    assert mean == plain_mean


def test_normals_of_a_ball_point_at_the_camera(cell: Cell, prior: Prior) -> None:
    """The first scene is a round blob: the normal in its middle faces the camera, seen from azimuth 0, 120 and 240."""
    evaluation = cell.evaluation.model_copy(update={"resolution": 33})
    images, _ = render_ring(Optimisation(cell.model_copy(update={"evaluation": evaluation}), prior))
    elevation = np.radians(evaluation.elevation_deg)
    for azimuth, normals, opacity in zip(
        np.radians(images.azimuth_deg), images.normals, images.opacity / 255, strict=True
    ):
        towards = [np.cos(elevation) * np.cos(azimuth), np.cos(elevation) * np.sin(azimuth), np.sin(elevation)]
        shown = normals[16, 16] / 255 - (1 - opacity[16, 16]) * evaluation.background
        found = (2 * shown - opacity[16, 16]) / opacity[16, 16]
        assert found @ towards / np.linalg.norm(found) > 0.99
        assert (normals[0, 0] == 255).all()  # a corner shows the background


def test_an_image_has_no_normals(cell: Cell, prior: Prior) -> None:
    flat = cell.model_copy(update={"scene": {"name": "image"}})
    images, mean = render_ring(Optimisation(flat, prior))
    assert images.normals is None
    assert mean == 1.0


def test_some_views_are_those_of_the_ring(cell: Cell, prior: Prior) -> None:
    loop = Optimisation(cell, prior)
    some, (ring, _) = render_ring(loop, [2, 0])[0], render_ring(loop)
    assert some.azimuth_deg == [ring.azimuth_deg[2], ring.azimuth_deg[0]]
    assert np.abs(some.rgb.astype(int) - ring.rgb[[2, 0]]).max() <= 1


def test_large_images_are_rendered_one_at_a_time(cell: Cell, prior: Prior, monkeypatch: pytest.MonkeyPatch) -> None:
    counts = []
    render = NeRFScene.render

    def counted(self: NeRFScene, cameras: Any, **keywords: Any) -> Any:
        counts.append(len(cameras))
        return render(self, cameras, **keywords)

    monkeypatch.setattr(NeRFScene, "render", counted)
    for side in (8, 256):
        evaluation = cell.evaluation.model_copy(update={"resolution": side, "views": 5})
        scene = cell.scene | {"marching": {"name": "occupancy", "samples": 4}}
        render_ring(Optimisation(cell.model_copy(update={"evaluation": evaluation, "scene": scene}), prior))
    assert counts == [4, 1] + [1] * 5

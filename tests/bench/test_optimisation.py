from __future__ import annotations

import math

import pytest
import torch

from bench.cell import Cell
from bench.optimisation import Optimisation, reach, to_device
from methods.contracts import Prior
from methods.scenes.cameras import evaluation_ring


def test_the_same_cell_takes_the_same_steps(cell: Cell, prior: Prior) -> None:
    def numbers() -> list[tuple[float | None, float | None, float]]:
        return [(event.loss, event.opacity, event.timestep) for event, _ in Optimisation(cell, prior)]

    first = numbers()
    assert len(first) == cell.steps
    assert first == numbers()


def test_two_methods_start_from_the_same_scene_and_see_the_same_cameras(cell: Cell, prior: Prior) -> None:
    other = cell.model_copy(update={"method": "sdi", "hyper_parameters": {}})
    one, two = Optimisation(cell, prior), Optimisation(other, prior)
    assert all(torch.equal(a, b) for a, b in zip(one.scene.parameters(), two.scene.parameters(), strict=True))
    for loop in (one, two):
        for _ in loop:
            pass
    cameras = [loop.camera_range.sample(1, loop.streams["camera"]).azimuth_deg for loop in (one, two)]
    assert torch.equal(*cameras)


def test_a_step_moves_the_scene_and_counts_the_networks_calls(cell: Cell, prior: Prior) -> None:
    loop = Optimisation(cell, prior)
    before = [parameter.clone() for parameter in loop.scene.parameters()]
    event, divergence = loop.take(0)
    assert divergence is None
    assert event.unet_calls == 1
    assert event.unet_rows >= 1
    assert any(not torch.equal(a, b) for a, b in zip(before, loop.scene.parameters(), strict=True))


def test_several_views_are_one_batch(cell: Cell, prior: Prior) -> None:
    event, _ = Optimisation(cell.model_copy(update={"views_per_step": 3}), prior).take(0)
    assert event.unet_calls == 1
    assert event.unet_rows % 3 == 0


def test_reach_is_the_balls_disc() -> None:
    # seen from distance d, a ball of radius r fills a disc of half-angle asin(r / d)
    share = math.pi * math.tan(math.asin(1 / 3)) ** 2 / (2 * math.tan(math.radians(20))) ** 2
    assert reach(1.0, evaluation_ring(3), 64) == pytest.approx(share, abs=0.01)
    assert reach(None, evaluation_ring(1), 8) == 1.0


def test_cameras_can_be_taken_in_parts() -> None:
    ring = evaluation_ring(5)
    part = to_device(ring, torch.device("cpu"), slice(3, 7))
    assert part.azimuth_deg.tolist() == ring.azimuth_deg[3:].tolist()
    assert len(part.target) == 2

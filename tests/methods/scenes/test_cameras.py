"""Cameras: which way is front, up and right, and where the ring stands."""

from __future__ import annotations

import math

import pytest
import torch

from methods.scenes.cameras import CameraRange, Cameras, evaluation_ring, view_words


def cameras(*, azimuth_deg: float = 0.0, elevation_deg: float = 0.0, target: tuple[float, ...] = (0, 0, 0)) -> Cameras:
    return Cameras(
        azimuth_deg=torch.tensor([azimuth_deg]),
        elevation_deg=torch.tensor([elevation_deg]),
        distance=torch.tensor([3.0]),
        fovy_deg=torch.tensor([40.0]),
        target=torch.tensor([target], dtype=torch.float32),
    )


@pytest.mark.parametrize(
    ("azimuth_deg", "elevation_deg", "position"),
    [(0, 0, (3, 0, 0)), (90, 0, (0, 3, 0)), (180, 0, (-3, 0, 0)), (0, 90, (0, 0, 3))],
)
def test_azimuth_0_stands_in_front_at_plus_x(
    azimuth_deg: float, elevation_deg: float, position: tuple[float, ...]
) -> None:
    found = cameras(azimuth_deg=azimuth_deg, elevation_deg=elevation_deg).positions[0]
    torch.testing.assert_close(found, torch.tensor(position, dtype=torch.float32), atol=1e-6, rtol=0)


def test_the_central_ray_looks_at_the_target() -> None:
    target = (0.1, -0.2, 0.3)
    rays = cameras(azimuth_deg=33, elevation_deg=20, target=target).rays(5)
    to_target = torch.tensor(target) - rays.origins[0, 2, 2]
    expected = to_target / to_target.norm()
    torch.testing.assert_close(rays.directions[0, 2, 2], expected, atol=1e-6, rtol=0)


def test_the_top_row_looks_up_and_the_right_column_to_the_right() -> None:
    directions = cameras().rays(4).directions[0]  # from +x towards -x: right is +y
    assert (directions[0, :, 2] > directions[-1, :, 2]).all()
    assert (directions[:, -1, 1] > directions[:, 0, 1]).all()


def test_the_field_of_view_spans_the_picture_vertically() -> None:
    resolution = 400
    directions = cameras().rays(resolution).directions[0, :, resolution // 2]
    cosine = (directions[0] * directions[-1]).sum()
    assert math.degrees(cosine.acos()) == pytest.approx(40, abs=0.2)  # centres of the outer pixels, not edges


def test_rays_are_unit_vectors_that_start_at_the_camera() -> None:
    drawn = CameraRange().sample(3, torch.Generator().manual_seed(0))
    rays = drawn.rays(4)
    torch.testing.assert_close(rays.directions.norm(dim=-1), torch.ones(3, 4, 4))
    assert (rays.origins == drawn.positions[:, None, None]).all()


def test_the_ring_starts_in_front_and_repeats_nothing() -> None:
    ring = evaluation_ring(24)
    assert ring.azimuth_deg[0] == 0
    assert ring.azimuth_deg.max() == 180
    assert len(set((ring.azimuth_deg % 360).tolist())) == 24


def test_a_ring_needs_views() -> None:
    with pytest.raises(ValueError, match="views: 0 is not a positive"):
        evaluation_ring(0)


def test_random_cameras_stay_in_their_range_and_face_different_sides() -> None:
    bounds = CameraRange()
    drawn = bounds.sample(4, torch.Generator().manual_seed(1))
    for values, (low, high) in [
        (drawn.elevation_deg, bounds.elevation_deg),
        (drawn.azimuth_deg, bounds.azimuth_deg),
        (drawn.distance, bounds.distance),
    ]:
        assert ((values >= low) & (values <= high)).all()
    turns = (drawn.azimuth_deg - drawn.azimuth_deg[0]) % 360
    assert len({round(turn / 90) % 4 for turn in turns.tolist()}) >= 3
    again = bounds.sample(4, torch.Generator().manual_seed(1))
    assert torch.equal(drawn.target, again.target)


@pytest.mark.parametrize(
    ("azimuth_deg", "elevation_deg", "words"),
    [
        (0, 15, "front view"),
        (-44, 15, "front view"),
        (46, 15, "side view"),
        (-134, 15, "side view"),
        (136, 15, "back view"),
        (180, 15, "back view"),
        (180, 61, "overhead view"),
        (0, 60, "front view"),
    ],
)
def test_view_words(azimuth_deg: float, elevation_deg: float, words: str) -> None:
    assert view_words(cameras(azimuth_deg=azimuth_deg, elevation_deg=elevation_deg)) == [words]

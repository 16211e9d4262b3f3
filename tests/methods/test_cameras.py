"""Cameras: the directions front, up and right, and the positions of the ring."""

from __future__ import annotations

import dataclasses
import math
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats

from methods.camera_range import CameraRange
from methods.cameras import Cameras, evaluation_ring, sample_cameras, view_words
from methods.diffusion.adaptation import camera_matrices


def cameras(*, azimuth_deg: float = 0.0, elevation_deg: float = 0.0, target: tuple[float, ...] = (0, 0, 0)) -> Cameras:
    return Cameras(
        azimuth_deg=torch.tensor([azimuth_deg]),
        elevation_deg=torch.tensor([elevation_deg]),
        distance=torch.tensor([3.0]),
        fovy_deg=torch.tensor([40.0]),
        target=torch.tensor([target], dtype=torch.float32),
        shift=torch.zeros(1, 3),
        up=torch.tensor([[0.0, 0.0, 1.0]]),
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


def test_the_field_of_view_spans_the_image_vertically() -> None:
    resolution = 400
    directions = cameras().rays(resolution).directions[0, :, resolution // 2]
    cosine = (directions[0] * directions[-1]).sum()
    assert math.degrees(cosine.acos()) == pytest.approx(40, abs=0.2)  # centres of the outer pixels, not edges


def test_rays_are_unit_vectors_that_start_at_the_camera() -> None:
    drawn = sample_cameras(CameraRange(), 3, torch.Generator().manual_seed(0))
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
    drawn = sample_cameras(bounds, 4, torch.Generator().manual_seed(1))
    for values, (low, high) in [
        (drawn.elevation_deg, bounds.elevation_deg),
        (drawn.azimuth_deg, bounds.azimuth_deg),
        (drawn.distance, bounds.distance),
    ]:
        assert ((values >= low) & (values <= high)).all()
    turns = (drawn.azimuth_deg - drawn.azimuth_deg[0]) % 360
    assert len({round(turn / 90) % 4 for turn in turns.tolist()}) >= 3
    again = sample_cameras(bounds, 4, torch.Generator().manual_seed(1))
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


RELEASED = CameraRange(elevation_deg=(-10.0, 45.0), position_jitter=0.1, up_jitter=0.02, sphere_share=0.5)


def draw(bounds: CameraRange, count: int = 20_000, seed: int = 0) -> Cameras:
    return sample_cameras(bounds, count, torch.Generator().manual_seed(seed))


def test_without_jitter_the_draws_are_bit_for_bit_those_of_versions_without_the_setting() -> None:
    drawn = draw(CameraRange(), count=2, seed=7)
    assert [value.hex() for value in drawn.azimuth_deg.tolist()] == ["0x1.82da800000000p+5", "-0x1.8628800000000p+5"]
    assert [value.hex() for value in drawn.elevation_deg.tolist()] == ["0x1.88f6040000000p+4", "0x1.5e5a700000000p+2"]
    direction = torch.tensor([float.fromhex(value) for value in ("-0x1.89f7c4p-1", "0x1.266ff2p-1", "-0x1.1c88e4p-2")])
    torch.testing.assert_close(drawn.rays(2).directions[1, 1, 0], direction, atol=1e-6, rtol=0)  # cosines differ


def test_a_range_may_change_on_the_way() -> None:
    later = ((0.25, (2.0, 2.5), (30.0, 35.0)), (0.5, (1.0, 1.5), (20.0, 25.0)))
    bounds = CameraRange(distance=(5.0, 6.0), up_jitter=0.1, later=later)
    assert [bounds.at(progress).distance[0] for progress in (0.0, 0.2, 0.25, 0.4, 0.5, 1.0)] == [5, 5, 2, 2, 1, 1]
    assert (bounds.at(0.3).fovy_deg, bounds.at(0.3).up_jitter) == ((30.0, 35.0), 0.1)
    assert CameraRange().at(0.7) == CameraRange()
    drawn, first = draw(bounds.at(0.7)), draw(bounds)
    assert float(drawn.distance.max()) <= 1.5
    assert float(first.distance.min()) >= 5
    assert torch.equal(drawn.azimuth_deg, first.azimuth_deg)


def test_jitter_leaves_all_other_draws_unchanged() -> None:
    bounds = dataclasses.replace(RELEASED, sphere_share=0.0)
    plain, moved = draw(CameraRange(elevation_deg=bounds.elevation_deg)), draw(bounds)
    for name in ("azimuth_deg", "elevation_deg", "distance", "fovy_deg", "target"):
        assert torch.equal(getattr(plain, name), getattr(moved, name))
    assert torch.equal(moved.positions, plain.positions + moved.shift)


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_elevation_is_uniform_in_degrees_for_some_and_on_the_sphere_for_the_others(share: float) -> None:
    low, high = RELEASED.elevation_deg

    def distribution(elevation_deg: np.ndarray, share: float) -> np.ndarray:
        sines = [np.sin(np.radians(angle)) for angle in (elevation_deg, low, high)]
        on_sphere = (sines[0] - sines[1]) / (sines[2] - sines[1])
        return share * on_sphere + (1 - share) * (elevation_deg - low) / (high - low)

    drawn = draw(dataclasses.replace(RELEASED, sphere_share=share)).elevation_deg.double().numpy()
    assert low <= drawn.min()
    assert drawn.max() <= high
    assert stats.kstest(drawn, distribution, args=(share,)).pvalue > 0.01
    other = 1.0 if share < 0.5 else 0.0
    assert stats.kstest(drawn, distribution, args=(other,)).pvalue < 1e-6


def test_positions_and_the_direction_upwards_are_jittered_as_released() -> None:
    drawn = draw(RELEASED)
    shift = drawn.shift.flatten().double().numpy() / 0.1
    assert np.abs(shift).max() <= 1
    assert stats.kstest(shift, stats.uniform(-1, 2).cdf).pvalue > 0.01
    assert shift.std() == pytest.approx(1 / math.sqrt(3), rel=0.01)
    tilt = (drawn.up - torch.tensor([0.0, 0.0, 1.0])).flatten().double().numpy() / 0.02
    assert stats.kstest(tilt, stats.norm.cdf).pvalue > 0.01
    assert tilt.std() == pytest.approx(1, rel=0.02)
    assert abs(np.corrcoef(tilt, shift)[0, 1]) < 0.02


def test_a_tilted_camera_is_turned_about_its_line_of_sight() -> None:
    level = cameras()
    tilted = dataclasses.replace(level, up=torch.tensor([[0.0, math.sin(0.3), math.cos(0.3)]]))
    upright, turned = (each.rays(101).directions[0] for each in (level, tilted))
    torch.testing.assert_close(turned[50, 50], upright[50, 50])
    top = turned[0, 50] - turned[50, 50]  # from +x towards -x: +y is to the right
    assert math.atan2(top[1], top[2]) == pytest.approx(0.3, abs=1e-3)
    # the camera matrix that VSD's network sees has the same axes
    up = camera_matrices(tilted).reshape(4, 4)[:3, 1]
    torch.testing.assert_close(up, torch.tensor([0.0, math.sin(0.3), math.cos(0.3)]))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"distance": (3.0, 2.0)}, r"distance: \[3.0, 2.0\] is not a range with the lower bound first"),
        ({"elevation_deg": (0.0, 91.0)}, r"elevation_deg: \[0.0, 91.0\] is not a range of degrees in \[-90, 90\]"),
        ({"azimuth_deg": (-361.0, 0.0)}, r"azimuth_deg: .* is not a range of degrees in \[-360, 360\]"),
        ({"distance": (0.0, 2.0)}, r"distance: \[0.0, 2.0\] is not in \(0, 100\]"),
        ({"fovy_deg": (40.0, 180.0)}, r"fovy_deg: \[40.0, 180.0\] is not in \(0, 180\)"),
        ({"up_jitter": -0.1}, r"up_jitter: -0.1 is not a number in \[0, 1\]"),
        (
            {"later": ((0.5, (1.0, 2.0), (30.0, 40.0)),) * 2},
            r"later: \[0.5, 0.5\] is not a progress in",
        ),
        ({"later": ((0.0, (1.0, 2.0), (30.0, 40.0)),)}, r"later: \[0.0\] is not a progress in \(0, 1\] each"),
        ({"later": ((1.5, (1.0, 2.0), (30.0, 40.0)),)}, r"later: \[1.5\] is not a progress in \(0, 1\] each"),
        ({"later": ((0.5, (0.0, 2.0), (30.0, 40.0)),)}, r"later from 0.5: distance: \[0.0, 2.0\] is not in \(0, 100\]"),
        ({"later": ((0.5, (1.0, 2.0), (50.0, 40.0)),)}, r"later from 0.5: fovy_deg: \[50.0, 40.0\] is not a range"),
    ],
)
def test_a_range_that_is_none_is_refused(settings: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CameraRange(**settings)


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_antithetic_cameras_stand_in_pairs_and_nothing_else_changes(count: int) -> None:
    streams = [torch.Generator().manual_seed(3) for _ in range(2)]
    paired = sample_cameras(dataclasses.replace(RELEASED, antithetic=True), count, streams[0])
    plain = sample_cameras(RELEASED, count, streams[1])
    assert torch.equal(*(stream.get_state() for stream in streams))
    half = count // 2
    turned = (paired.azimuth_deg[half : 2 * half] - paired.azimuth_deg[:half]) % 360
    torch.testing.assert_close(turned, torch.full((half,), 180.0))
    assert float(paired.azimuth_deg.abs().max()) <= 180.0
    assert torch.equal(paired.elevation_deg[half : 2 * half], paired.elevation_deg[:half])
    alone = [*range(half), *range(2 * half, count)]
    for name in ("azimuth_deg", "elevation_deg"):
        assert torch.equal(getattr(paired, name)[alone], getattr(plain, name)[alone])
    for name in ("distance", "fovy_deg", "target", "shift", "up"):
        assert torch.equal(getattr(paired, name), getattr(plain, name))

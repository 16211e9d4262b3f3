"""Projection agrees with the rays of the cameras."""

from __future__ import annotations

import torch

from methods.camera_range import CameraRange
from methods.cameras import evaluation_ring, sample_cameras
from methods.scenes.gaussians.projection import LOW_PASS, project
from methods.scenes.gaussians.rotation import rotation_matrix

SIDE = 16


def test_a_point_on_a_pixel_s_ray_is_in_the_middle_of_that_pixel() -> None:
    bounds = CameraRange(position_jitter=0.1, up_jitter=0.1, target_jitter=0.1)
    cameras = sample_cameras(bounds, 3, torch.Generator().manual_seed(0))
    rays = cameras.rays(SIDE)
    points = (rays.origins + 2.5 * rays.directions).double()
    for view in range(3):
        some = points[view].flatten(0, 1)
        flat = project(some.float(), torch.zeros(len(some), 3, 3), cameras[view : view + 1], SIDE)
        column, row = torch.meshgrid(torch.arange(SIDE) + 0.5, torch.arange(SIDE) + 0.5, indexing="xy")
        expected = torch.stack([column.flatten(), row.flatten()], dim=-1)
        torch.testing.assert_close(flat.centres[0], expected, rtol=0, atol=1e-3)
        assert bool(flat.is_seen.all())


def test_a_ball_in_the_middle_is_a_circle_of_its_size() -> None:
    cameras = evaluation_ring(4, distance=3.0, fovy_deg=40.0)
    flat = project(torch.zeros(1, 3), 0.01 * torch.eye(3)[None], cameras, SIDE)
    focal = SIDE / 2 / torch.tan(torch.deg2rad(torch.tensor(20.0)))
    variance = (focal * 0.1 / 3) ** 2
    expected = torch.tensor([variance + LOW_PASS, 0.0, variance + LOW_PASS]).expand(4, 1, 3)
    torch.testing.assert_close(flat.covariance, expected)
    torch.testing.assert_close(flat.share, (variance / (variance + LOW_PASS)).expand(4, 1))
    torch.testing.assert_close(flat.depth, torch.full((4, 1), 3.0))


def test_what_is_behind_the_camera_is_not_seen_and_what_is_no_number_is() -> None:
    cameras = evaluation_ring(1, distance=2.0)
    points = torch.stack([2 * cameras.positions[0], torch.zeros(3), torch.full((3,), float("nan"))])
    assert project(points, torch.eye(3).expand(3, 3, 3), cameras, SIDE).is_seen.tolist() == [[False, True, True]]


def test_rotations_are_scipy_s() -> None:
    from scipy.spatial.transform import Rotation

    quaternions = torch.randn(50, 4, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = torch.from_numpy(Rotation.from_quat(quaternions.numpy(), scalar_first=True).as_matrix())
    torch.testing.assert_close(rotation_matrix(quaternions), expected)

"""Cameras around an object: random ones for optimisation, a fixed ring for evaluation, and their rays.

World frame: z is up, the object's front faces +x.  Azimuth 0 looks at the front, 180 at the back.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import NamedTuple

import torch
from torch import Tensor

from methods.camera_range import CameraRange
from methods.transfer import to_device

#: The words for the side that a camera sees.
VIEW_WORDS = (FRONT, SIDE, BACK, OVERHEAD) = ("front view", "side view", "back view", "overhead view")


class Rays(NamedTuple):
    """One ray for each pixel."""

    origins: Tensor  # (b h w 3)
    directions: Tensor  # (b h w 3), unit length


@dataclass(frozen=True)
class Cameras:
    """A batch of pin-hole cameras that look at a point near the origin; every field is ``(b,)`` or ``(b 3)``.

    The angles give the side that is seen, for view words and Perp-Neg; they do not include ``shift``.
    """

    azimuth_deg: Tensor  # (b,), in (−180, 180]
    elevation_deg: Tensor  # (b,)
    distance: Tensor  # (b,), world units
    fovy_deg: Tensor  # (b,), vertical field of view
    target: Tensor  # (b 3), the point looked at
    shift: Tensor  # (b 3), added to the position that angles and distance give, world units
    up: Tensor  # (b 3), upward direction, of any length, not parallel to the line of sight

    def __len__(self) -> int:
        return len(self.azimuth_deg)

    def __getitem__(self, index: slice | Sequence[int]) -> Cameras:
        """Some of the cameras, in the order of ``index``."""
        return Cameras(**{field.name: getattr(self, field.name)[index] for field in fields(self)})

    def to(self, device: torch.device) -> Cameras:
        """The cameras on ``device``; the host does not wait for the copy."""
        return Cameras(**{field.name: to_device(getattr(self, field.name), device) for field in fields(self)})

    @property
    def positions(self) -> Tensor:
        """``(b 3)`` in world space."""
        azimuth, elevation = torch.deg2rad(self.azimuth_deg), torch.deg2rad(self.elevation_deg)
        outward = torch.stack(
            [elevation.cos() * azimuth.cos(), elevation.cos() * azimuth.sin(), elevation.sin()], dim=-1
        )
        return self.distance[:, None] * outward + self.shift

    def rays(self, resolution: int) -> Rays:
        """Rays through the pixel centres of square images with ``resolution`` pixels a side; row 0 is the top."""
        origins = self.positions
        forward = torch.nn.functional.normalize(self.target - origins, dim=-1)
        right = torch.nn.functional.normalize(torch.linalg.cross(forward, self.up.to(origins)), dim=-1)
        up = torch.linalg.cross(right, forward)
        centres = (torch.arange(resolution, dtype=origins.dtype, device=origins.device) + 0.5) / resolution * 2 - 1
        reach = torch.tan(torch.deg2rad(self.fovy_deg) / 2)[:, None, None, None]
        y, x = torch.meshgrid(-centres, centres, indexing="ij")
        directions = (
            forward[:, None, None]
            + reach * x[None, ..., None] * right[:, None, None]
            + reach * y[None, ..., None] * up[:, None, None]
        )
        directions = torch.nn.functional.normalize(directions, dim=-1)
        return Rays(origins[:, None, None].expand_as(directions), directions)


def sample_cameras(bounds: CameraRange, count: int, generator: torch.Generator) -> Cameras:
    """Draw ``count`` cameras.  Azimuths are stratified over the batch, so that two views face different sides.

    With ``bounds.antithetic`` the second half of them stands opposite the first, and of an odd number the last alone.

    Args:
        bounds: The range of the cameras.
        count: Number of cameras.
        generator: Draws them, on the CPU.
    """
    sector = torch.arange(count) / count
    turn = (torch.rand(1, generator=generator) + sector + torch.rand(count, generator=generator) / count) % 1.0
    height = torch.rand(count, generator=generator)
    drawn = Cameras(
        azimuth_deg=_interpolate(bounds.azimuth_deg, turn),
        elevation_deg=_interpolate(bounds.elevation_deg, height),
        distance=_interpolate(bounds.distance, torch.rand(count, generator=generator)),
        fovy_deg=_interpolate(bounds.fovy_deg, torch.rand(count, generator=generator)),
        target=bounds.target_jitter * torch.randn(count, 3, generator=generator),
        shift=torch.zeros(count, 3),
        up=_make_up(count),
    )
    # drawn last and only where asked for: a setting of 0 leaves all other draws as they are without it
    if bounds.sphere_share > 0:
        on_sphere = torch.rand(count, generator=generator) < bounds.sphere_share
        elevation_deg = torch.where(on_sphere, _on_sphere(bounds.elevation_deg, height), drawn.elevation_deg)
        drawn = replace(drawn, elevation_deg=elevation_deg)
    if bounds.position_jitter > 0:
        shift = bounds.position_jitter * (2 * torch.rand(count, 3, generator=generator) - 1)
        drawn = replace(drawn, shift=shift)
    if bounds.up_jitter > 0:
        drawn = replace(drawn, up=drawn.up + bounds.up_jitter * torch.randn(count, 3, generator=generator))
    return _paired(drawn) if bounds.antithetic else drawn


def _paired(cameras: Cameras) -> Cameras:
    """The cameras, those of the second half moved opposite to those of the first."""
    pairs = len(cameras) // 2
    azimuth, elevation = cameras.azimuth_deg.clone(), cameras.elevation_deg.clone()
    opposite = azimuth[:pairs] + 180.0
    azimuth[pairs : 2 * pairs] = torch.where(opposite > 180.0, opposite - 360.0, opposite)
    elevation[pairs : 2 * pairs] = elevation[:pairs]
    return replace(cameras, azimuth_deg=azimuth, elevation_deg=elevation)


def evaluation_ring(
    views: int, *, elevation_deg: float = 15.0, distance: float = 3.0, fovy_deg: float = 40.0
) -> Cameras:
    """``views`` cameras at equal azimuth steps from 0 (the front), without repeating the first at 360°.

    Raises:
        ValueError: If ``views`` is not positive.
    """
    if views < 1:
        raise ValueError(f"views: {views} is not a positive number of cameras")
    azimuth = torch.arange(views, dtype=torch.float32) * (360.0 / views)
    azimuth = torch.where(azimuth > 180.0, azimuth - 360.0, azimuth)
    return Cameras(
        azimuth_deg=azimuth,
        elevation_deg=torch.full((views,), elevation_deg),
        distance=torch.full((views,), distance),
        fovy_deg=torch.full((views,), fovy_deg),
        target=torch.zeros(views, 3),
        shift=torch.zeros(views, 3),
        up=_make_up(views),
    )


def view_words(cameras: Cameras, sector_deg: float = 45.0) -> list[str]:
    """The view words for each camera: front, side, back or overhead view (DreamFusion, section 3.2).

    Args:
        cameras: Any number of them.
        sector_deg: Front is within it of azimuth 0, back within it of 180° (threestudio's ``front_threshold`` and
            ``back_threshold``).  Overhead is above 60° of elevation.
    """
    words = []
    for azimuth, elevation in zip(cameras.azimuth_deg.tolist(), cameras.elevation_deg.tolist(), strict=True):
        turned = abs(math.remainder(azimuth, 360.0))
        if elevation > 60.0:
            words.append(OVERHEAD)
        elif turned < sector_deg:
            words.append(FRONT)
        elif turned > 180.0 - sector_deg:
            words.append(BACK)
        else:
            words.append(SIDE)
    return words


def with_view(prompt: str, words: str) -> str:
    """The prompt with view words behind it, as a prior reads them.

    >>> with_view("a blue duck", "back view")
    'a blue duck, back view'
    """
    return f"{prompt}, {words}"


def _interpolate(bounds: tuple[float, float], fraction: Tensor) -> Tensor:
    low, high = bounds
    return low + (high - low) * fraction


def _on_sphere(bounds_deg: tuple[float, float], fraction: Tensor) -> Tensor:
    """Elevations with a uniform sine, by inverse transform: the area of a sphere is uniform in it."""
    low, high = (math.sin(math.radians(bound)) for bound in bounds_deg)
    return torch.rad2deg(torch.asin(_interpolate((low, high), fraction)))


def _make_up(count: int) -> Tensor:
    return torch.tensor([0.0, 0.0, 1.0]).expand(count, 3)

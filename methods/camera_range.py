"""The range of the random cameras of an optimisation; :func:`methods.cameras.sample_cameras` draws from it.

This module does not import torch: a study's settings are checked before torch is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass

from methods.settings import require


@dataclass(frozen=True)
class CameraRange:
    """The positions and directions of random cameras.

    The last three settings are those of threestudio's ``threestudio/data/uncond.py`` (28d9d80); they are 0 here, and
    0.1, 0.02 and 0.5 in its configurations.

    Raises:
        ValueError: If a setting is out of its range.
    """

    elevation_deg: tuple[float, float] = (-5.0, 40.0)
    """Range of the angle above the horizon, degrees in [−90, 90]."""
    azimuth_deg: tuple[float, float] = (-180.0, 180.0)
    """Range of the angle around the object, degrees in [−360, 360]; 0 looks at the front."""
    distance: tuple[float, float] = (2.8, 3.2)
    """Range of the distance from the origin, world units in (0, 100]."""
    fovy_deg: tuple[float, float] = (40.0, 40.0)
    """Range of the vertical field of view, degrees in (0, 180)."""
    target_jitter: float = 0.03
    """Standard deviation of the point looked at, world units in [0, 1]."""
    position_jitter: float = 0.0
    """Bound of a uniform shift of the camera along each axis, world units in [0, 1]."""
    up_jitter: float = 0.0
    """Standard deviation of the noise on the unit vector upwards along each axis, in [0, 1]."""
    sphere_share: float = 0.0
    """Share of the cameras that stand uniformly on the sphere; the others' elevation is uniform in degrees."""

    def __post_init__(self) -> None:
        for name in ("elevation_deg", "azimuth_deg", "distance", "fovy_deg"):
            bounds = getattr(self, name)
            require(bounds[0] <= bounds[1], name, list(bounds), "a range with the lower bound first")
        for name, bound in (("elevation_deg", 90), ("azimuth_deg", 360)):
            low, high = getattr(self, name)
            require(-bound <= low and high <= bound, name, [low, high], f"a range of degrees in [-{bound}, {bound}]")
        require(self.distance[0] > 0 and self.distance[1] <= 100, "distance", list(self.distance), "in (0, 100]")
        require(self.fovy_deg[0] > 0 and self.fovy_deg[1] < 180, "fovy_deg", list(self.fovy_deg), "in (0, 180)")
        for name in ("target_jitter", "position_jitter", "up_jitter", "sphere_share"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a number in [0, 1]")

"""The range of the random cameras of an optimisation; :func:`methods.cameras.sample_cameras` draws from it.

This module does not import torch: a study's settings are checked before torch is loaded.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from methods.settings import require

#: A progress, and the ranges of the distance and of the field of view from there on.
LaterRange = tuple[float, tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class CameraRange:
    """The positions and directions of random cameras.

    ``position_jitter``, ``up_jitter`` and ``sphere_share`` are those of threestudio's ``threestudio/data/uncond.py``
    (28d9d80); they are 0 here, and 0.1, 0.02 and 0.5 in its configurations.

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
    later: tuple[LaterRange, ...] = ()
    """Other ranges of the distance and of the field of view from a progress in (0, 1] on, ``[progress, [near, far],
    [narrow, wide]]`` each, in rising order (LucidDreamer comes nearer and narrows every 500 steps)."""
    antithetic: bool = False
    """Whether each second camera of a batch stands opposite another, at its elevation and at its azimuth + 180°
    (``antithetic_pairs`` of marianlupascu/MV-SDI@64ae915)."""

    def __post_init__(self) -> None:
        for name in ("elevation_deg", "azimuth_deg"):
            _require_range(name, getattr(self, name))
        for name, bound in (("elevation_deg", 90), ("azimuth_deg", 360)):
            low, high = getattr(self, name)
            require(-bound <= low and high <= bound, name, [low, high], f"a range of degrees in [-{bound}, {bound}]")
        _require_lens(self.distance, self.fovy_deg)
        for name in ("target_jitter", "position_jitter", "up_jitter", "sphere_share"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a number in [0, 1]")
        starts = [start for start, _, _ in self.later]
        rising = all(a < b for a, b in pairwise([0.0, *starts])) and all(start <= 1 for start in starts)
        require(rising, "later", starts, "a progress in (0, 1] each, in rising order")
        for start, distance, fovy_deg in self.later:
            _require_lens(distance, fovy_deg, f"later from {start:g}: ")

    def at(self, progress: float) -> CameraRange:
        """The ranges at ``progress`` in [0, 1]."""
        for start, distance, fovy_deg in reversed(self.later):
            if progress >= start:
                return replace(self, distance=distance, fovy_deg=fovy_deg, later=())
        return self


def _require_range(name: str, bounds: tuple[float, float]) -> None:
    require(bounds[0] <= bounds[1], name, list(bounds), "a range with the lower bound first")


def _require_lens(distance: tuple[float, float], fovy_deg: tuple[float, float], where: str = "") -> None:
    """Refuse ranges of the distance and of the field of view that no camera can have."""
    _require_range(f"{where}distance", distance)
    _require_range(f"{where}fovy_deg", fovy_deg)
    require(distance[0] > 0 and distance[1] <= 100, f"{where}distance", list(distance), "in (0, 100]")
    require(fovy_deg[0] > 0 and fovy_deg[1] < 180, f"{where}fovy_deg", list(fovy_deg), "in (0, 180)")

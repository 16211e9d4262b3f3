"""Azimuths of cameras on a turn around an object."""

from __future__ import annotations

from dataclasses import dataclass

from bench.imports.layout import Layout
from methods.settings import require


@dataclass(frozen=True)
class TurnLayout(Layout):
    """Images whose cameras go around the object at equal steps.

    Raises:
        ValueError: If a setting is out of its range.
    """

    first_azimuth_deg: float = 0.0
    """Azimuth of the first image, degrees; 0 looks at the front."""
    clockwise: bool = False
    """Whether the camera goes clockwise seen from above (equally, the object turns counter-clockwise)."""
    full_turn_deg: float = 360.0
    """Angle between the first image and the one that would follow the last, degrees.  Where the last of n images
    repeats the first, it is 360 · n / (n − 1)."""

    def __post_init__(self) -> None:
        require(
            -360 <= self.first_azimuth_deg <= 360, "first_azimuth_deg", self.first_azimuth_deg, "within ±360 degrees"
        )
        require(
            0 < self.full_turn_deg <= 720, "full_turn_deg", self.full_turn_deg, "an angle above 0, up to 720 degrees"
        )

    def azimuth_deg(self, share: float) -> float:
        """The azimuth after a share in [0, 1) of the turn, degrees in (−180, 180]."""
        turned = self.full_turn_deg * share
        return wrap_deg(self.first_azimuth_deg + (-turned if self.clockwise else turned))


def wrap_deg(angle: float) -> float:
    """An angle in degrees, in (−180, 180].

    >>> [wrap_deg(angle) for angle in (270.0, 180.0, -180.0, 360.0)]
    [-90.0, 180.0, 180.0, 0.0]
    """
    turned = angle % 360.0
    return turned - 360.0 if turned > 180.0 else turned

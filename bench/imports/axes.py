"""From the axes of files to ours: z up, the front at +x."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy.spatial.transform import Rotation

from bench.imports.layout import Layout
from methods.settings import require

Up = Literal["y", "-y", "z"]

#: Rows are our x (the front), y (to the right, seen from the front) and z (up) in the axes of the file.
_AXES: dict[Up, list[list[int]]] = {
    "y": [[0, 0, 1], [1, 0, 0], [0, 1, 0]],
    "-y": [[0, 0, -1], [1, 0, 0], [0, -1, 0]],
    "z": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
}


@dataclass(frozen=True)
class TurnedLayout(Layout):
    """Geometry that is rendered from the study's evaluation cameras.

    Raises:
        ValueError: If a setting is out of its range.
    """

    up: Up = "y"
    """The file's vertical axis.  With y, the front is at +z (glTF 2.0, section 3.4; ``sdibench export --mesh``); with
    −y, it is at −z (3D Gaussian Splatting's own scenes; ``sdibench export --gaussians``); with z, it is at +x
    (threestudio)."""
    turn_deg: float = 0.0
    """Turn about the vertical axis, counter-clockwise seen from above, degrees, for files whose front is elsewhere."""
    fit: bool = True
    """Whether the middle of the box around the object is moved to the origin and its farthest point to distance 1, the
    sphere that the evaluation cameras look at; else coordinates are world units."""

    def __post_init__(self) -> None:
        require(self.up in _AXES, "up", self.up, f"one of {', '.join(_AXES)}")
        require(-360 <= self.turn_deg <= 360, "turn_deg", self.turn_deg, "within ±360 degrees")

    @property
    def has_our_cameras(self) -> bool:
        """True: the images are rendered here."""
        return True

    @property
    def turn(self) -> np.ndarray:
        """The rotation ``(3 3)`` by which column vectors of the file are multiplied."""
        about_z: np.ndarray = Rotation.from_euler("z", self.turn_deg, degrees=True).as_matrix()
        return about_z @ np.array(_AXES[self.up], float)


def unit_sphere(points: np.ndarray) -> tuple[np.ndarray, float]:
    """The middle of the box around points ``(n 3)``, and the factor by which the farthest from it is at distance 1."""
    middle = (points.min(axis=0) + points.max(axis=0)) / 2
    farthest = float(np.linalg.norm(points - middle, axis=1).max())
    return middle, 1 / farthest if farthest > 0 else 1.0

"""Points of a file of the user's."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal, Self

import torch
from torch import Tensor

from methods.inputs import FileInput
from methods.scenes.gaussians.initialisations import initialisations
from methods.scenes.gaussians.initialisations.ball import Ball
from methods.scenes.gaussians.initialisations.initialisation import Initialisation, Points
from methods.scenes.gaussians.initialisations.point_file import (
    ENDINGS,
    MeshesInFile,
    PointsInFile,
    read_shape,
)
from methods.settings import require

#: Formats whose vertical axis is y: glTF 2.0 says so (section 3.4), and most programs that write OBJ do it.
_Y_UP = {".glb", ".obj"}


@initialisations.register("points")
@dataclass(frozen=True)
class PointFile(Initialisation, FileInput):
    """From a file: points (PLY, OBJ), or evenly on a mesh (PLY, OBJ, GLB), with their colours if it has any.

    Point-E and Shap-E write such files.  If the file has more points than Gaussians, some are taken; if it has fewer,
    they are repeated and moved a little.

    Raises:
        ValueError: If a setting is out of its range.
    """

    path: str
    """The file; ``{prompt}`` in it stands for the prompt's id, so that each prompt has a file of its own."""
    radius: float | Literal["as_is"] = 0.5
    """Distance of the farthest point from the middle, after moving the middle of the box around the points to the
    origin, world units; ``as_is`` leaves the coordinates."""
    up: Literal["auto", "y", "z"] = "auto"
    """The file's vertical axis.  With y, the front is at +z; with z, the front is at +x.  ``auto`` is y for GLB and
    OBJ, and z for PLY, as Point-E and Shap-E write it; a mesh of ``sdibench export`` in PLY needs ``"y"``."""
    turn_deg: float = 0.0
    """Turn about the vertical axis, counter-clockwise seen from above, degrees, for files whose front is elsewhere."""
    sha256: str = ""
    """SHA-256 of the file, which is filled in; a study may give it, and is refused if it is another."""

    def __post_init__(self) -> None:
        right = f"the path of a file that ends in {', '.join(ENDINGS)}"
        require(Path(self.path).suffix.lower() in ENDINGS, "path", self.path, right)
        if self.radius != "as_is":
            require(self.radius > 0, "radius", self.radius, 'a positive distance in world units or "as_is"')

    def for_cell(self, prompt_id: str, seed: int) -> Self:
        """With the prompt's file."""
        return replace(self, path=self.path.replace("{prompt}", prompt_id))

    def stand_in(self) -> Ball:
        """A ball."""
        return Ball()

    def check(self) -> None:
        """Read the file.

        Raises:
            ValueError: If it cannot be read, holds nothing, or is not the file of ``sha256``.
        """
        self._read()

    def points(self, count: int, generator: torch.Generator) -> Points:
        """``count`` points.

        Raises:
            ValueError: As :meth:`check` does.
        """
        shape = self._read()
        positions, rgb = shape.sample(count, generator)
        low, high = shape.vertices.aminmax(dim=0)
        middle, farthest = (low + high) / 2, 1.0
        if self.radius == "as_is":
            middle = torch.zeros_like(middle)
        else:
            farthest = float((shape.vertices - middle).norm(dim=1).max()) / self.radius
        placed = self._turned((positions - middle.to(positions)) / (farthest or 1.0)).float()
        return Points(placed.to(generator.device), None if rgb is None else rgb.to(generator.device))

    def _read(self) -> PointsInFile | MeshesInFile:
        try:
            content = Path(self.path).read_bytes()
        except (OSError, ValueError) as error:  # ValueError: a zero byte
            why = getattr(error, "strerror", None) or error
            raise ValueError(f"path: {self.path!r} cannot be read ({why}); give a file that is there") from error
        found = hashlib.sha256(content).hexdigest()
        if self.sha256 and found != self.sha256:
            raise ValueError(
                f"path: {self.path!r} has SHA-256 {found:.12}, and not {self.sha256:.12}: the file has changed; "
                "restore it, or give another run folder with --out"
            )
        try:
            return read_shape(content, Path(self.path).suffix.lower())
        except ValueError as error:
            raise ValueError(f"path: {self.path!r} {error}; give points or a mesh ({', '.join(ENDINGS)})") from error

    def _turned(self, positions: Tensor) -> Tensor:
        """The positions with z up and the front at +x."""
        is_y_up = Path(self.path).suffix.lower() in _Y_UP if self.up == "auto" else self.up == "y"
        x, y, z = (positions[:, [2, 0, 1]] if is_y_up else positions).unbind(-1)
        cos, sin = math.cos(math.radians(self.turn_deg)), math.sin(math.radians(self.turn_deg))
        return torch.stack([cos * x - sin * y, sin * x + cos * y, z], dim=-1)

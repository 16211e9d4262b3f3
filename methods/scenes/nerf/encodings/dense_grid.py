"""Dense feature grids of a few resolutions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.scenes.nerf.encodings import encodings
from methods.scenes.nerf.encodings.encoding import Encoding, EncodingModule
from methods.settings import require


@encodings.register("dense_grid")
@dataclass(frozen=True)
class DenseGrid(Encoding):
    """Features on the corners of regular grids, read by trilinear interpolation and concatenated.

    The levels are those of a multi-resolution hash grid (arXiv 2201.05989, section 3) small enough to need no hash.

    Raises:
        ValueError: If a setting is out of its range.
    """

    resolutions: tuple[int, ...] = (16, 32, 64)
    """Corners along an edge of the unit cube, one number per level, each at least 2."""
    features_per_level: int = 4
    """Features on each corner."""
    initial_std: float = 1e-2
    """Standard deviation of the features before the first step."""

    def __post_init__(self) -> None:
        sizes_right = len(self.resolutions) > 0 and all(resolution >= 2 for resolution in self.resolutions)
        require(sizes_right, "resolutions", self.resolutions, "one grid side of at least 2 or more of them")
        require(self.features_per_level >= 1, "features_per_level", self.features_per_level, "a positive number")
        require(self.initial_std > 0, "initial_std", self.initial_std, "a positive standard deviation")

    def build(self, generator: torch.Generator) -> DenseGridModule:
        """Grids of random features."""
        return DenseGridModule(self, generator)


class DenseGridModule(EncodingModule):
    """The grids ``(1 features side side side)``, whose axes are z, y, x."""

    twice_differentiable = False  # torch's grid_sample has no second derivative

    def __init__(self, settings: DenseGrid, generator: torch.Generator) -> None:
        super().__init__()
        self.features = len(settings.resolutions) * settings.features_per_level
        shapes = [(1, settings.features_per_level, side, side, side) for side in settings.resolutions]
        self.levels = nn.ParameterList(
            nn.Parameter(settings.initial_std * torch.randn(shape, generator=generator, device=generator.device))
            for shape in shapes
        )

    def forward(self, points: Tensor) -> Tensor:
        """Points ``(n 3)`` of the unit cube to features ``(n features)``."""
        where = (2 * points - 1)[None, None, None]
        read = [
            nn.functional.grid_sample(level, where, padding_mode="border", align_corners=True) for level in self.levels
        ]
        return torch.cat(read, dim=1)[0, :, 0, 0].T

"""Multi-resolution dense feature grids: the fastest encoding without a GPU kernel."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from methods.scenes.nerf.encodings import encodings
from methods.scenes.settings import demand


@encodings.register("dense_grid")
class DenseGrid(nn.Module):
    """Features on the corners of regular grids, read by trilinear interpolation and concatenated.

    The levels are those of a multi-resolution hash grid (arXiv 2201.05989, section 3) small enough to need no hash.

    Args:
        resolutions: Corners along an edge of the unit cube, one number a level, each at least 2.
        features_per_level: Features on each corner.
        initial_std: Standard deviation of the features before the first step.
        init: Generator of the initial features.

    Raises:
        ValueError: If a setting is out of its range.
    """

    twice_differentiable = False  # torch's grid_sample has no second derivative

    def __init__(
        self,
        *,
        resolutions: Sequence[int] = (16, 32, 64),
        features_per_level: int = 4,
        initial_std: float = 1e-2,
        init: torch.Generator,
    ) -> None:
        super().__init__()
        sizes_right = len(resolutions) > 0 and all(resolution >= 2 for resolution in resolutions)
        demand(sizes_right, "resolutions", resolutions, "one grid side of at least 2 or more of them")
        demand(features_per_level >= 1, "features_per_level", features_per_level, "a positive number")
        demand(initial_std > 0, "initial_std", initial_std, "a positive standard deviation")
        self.features = len(resolutions) * features_per_level
        self.levels = nn.ParameterList(
            nn.Parameter(
                initial_std * torch.randn(1, features_per_level, side, side, side, generator=init, device=init.device)
            )
            for side in resolutions
        )

    def forward(self, points: Tensor) -> Tensor:
        """Points ``(n 3)`` of the unit cube to features ``(n features)``; the levels' axes are z, y, x."""
        where = (2 * points - 1)[None, None, None]
        read = [
            nn.functional.grid_sample(level, where, padding_mode="border", align_corners=True) for level in self.levels
        ]
        return torch.cat(read, dim=1)[0, :, 0, 0].T

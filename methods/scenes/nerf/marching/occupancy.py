"""Which cells of space may hold something, so that the field is not asked about the empty ones."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn

from methods.scenes.settings import demand
from methods.transfer import to_device


class OccupancyGrid(nn.Module):
    """Decayed maximum of the density in the cells of the box [-radius, radius]^3 (arXiv 2201.05989, appendix C).

    A cell is occupied if it, or one of its 26 neighbours, has seen a density over the threshold: the rim of one cell
    is where the field learns to grow.  Both buffers are saved with the scene, which therefore renders the
    same after it is loaded.  Every cell is occupied until the first update.

    Args:
        resolution: Cells along an edge of the box.
        radius: Half side of the box, world units.
        decay: Factor on the remembered density at each update.
        threshold: Density (per world unit) over which a cell counts as filled.  The mean over the cells takes its
            place where that is lower, so that a thin scene is never culled whole.

    Raises:
        ValueError: If a setting is out of its range.
    """

    density: Tensor  # (r, r, r) float32, axes x, y, z
    occupied: Tensor  # (r, r, r) bool

    def __init__(self, *, resolution: int, radius: float, decay: float, threshold: float) -> None:
        super().__init__()
        demand(resolution >= 1, "occupancy_resolution", resolution, "a positive number of cells")
        demand(0 <= decay < 1, "occupancy_decay", decay, "a factor in [0, 1)")
        demand(threshold > 0, "occupancy_threshold", threshold, "a positive density")
        self.resolution, self.radius, self.decay, self.threshold = resolution, radius, decay, threshold
        shape = (resolution, resolution, resolution)
        self.register_buffer("density", torch.zeros(shape))
        self.register_buffer("occupied", torch.ones(shape, dtype=torch.bool))

    def contains(self, points: Tensor) -> Tensor:
        """Whether each world point ``(n 3)`` lies in an occupied cell, ``(n,)`` bool."""
        cells = self.resolution / (2 * self.radius) * points + self.resolution / 2
        x, y, z = cells.int().clamp_(0, self.resolution - 1).unbind(-1)
        return self.occupied.flatten().index_select(0, (x * self.resolution + y) * self.resolution + z)

    @torch.no_grad()
    def update(self, density: Callable[[Tensor], Tensor], rays: torch.Generator) -> None:
        """Measure ``density`` (world points ``(n 3)`` to ``(n,)``) once in each cell, at a random place.

        Cells beyond the ball of ``radius``, where no ray has samples, are not measured.
        """
        side = 2 * self.radius / self.resolution
        axis = torch.arange(self.resolution, device=self.density.device)
        corners = torch.cartesian_prod(axis, axis, axis) * side - self.radius
        jitter = to_device(torch.rand(corners.shape, generator=rays, device=rays.device), corners.device)
        reach = torch.linalg.vector_norm(corners + side / 2, dim=-1) < self.radius + side
        measured = torch.zeros(len(corners), device=corners.device)
        measured[reach] = density((corners + side * jitter)[reach])
        self.density.copy_(torch.maximum(self.decay * self.density, measured.view_as(self.density)))
        # Written so that a density that is not a number counts as filled: a broken field must show in the render.
        filled = ~(self.density <= self.density.mean().clamp(max=self.threshold))
        self.occupied.copy_(nn.functional.max_pool3d(filled.float()[None], 3, stride=1, padding=1)[0] > 0)

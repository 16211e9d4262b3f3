"""The grid of cells that may hold something, so that the field is not evaluated in empty ones."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.settings import require
from methods.transfer import to_device


@dataclass(frozen=True)
class OccupancySettings:
    """Resolution of the grid, and how often it is updated.

    Raises:
        ValueError: If a setting is out of its range.
    """

    resolution: int = 32
    """Cells along an edge of the grid (threestudio: 32)."""
    every: int = 10
    """Optimiser steps between two updates (nerfacc: 16, for longer runs)."""
    decay: float = 0.7
    """Factor on the remembered density at each update (nerfacc: 0.95, for longer runs)."""
    threshold: float = 0.01
    """Opacity of one mean sample below which space counts as empty (nerfacc: 0.01)."""

    def __post_init__(self) -> None:
        require(self.resolution >= 1, "resolution", self.resolution, "a positive number of cells")
        require(self.every > 0, "every", self.every, "a positive number of steps")
        require(0 <= self.decay < 1, "decay", self.decay, "a factor in [0, 1)")
        require(self.threshold > 0, "threshold", self.threshold, "a positive opacity")


class OccupancyGrid(nn.Module):
    """Decayed maximum of the density in the cells of the box [-radius, radius]^3 (arXiv 2201.05989, appendix C).

    A cell is occupied if it, or one of its 26 neighbours, has seen a density over the threshold: the rim of one cell
    is where the field learns to grow.  Both buffers are saved with the scene, which therefore renders the
    same after it is loaded.  Every cell is occupied until the first update.

    Args:
        settings: Resolution, decay and threshold.
        radius: Half side of the box, world units.
        samples_per_unit: Samples on a ray per world unit, which turn the threshold into a density.  The mean over the
            cells replaces the threshold if it is lower, so that a thin scene is never culled entirely.
    """

    density: Tensor  # (r, r, r) float32, axes x, y, z
    occupied: Tensor  # (r, r, r) bool

    def __init__(self, settings: OccupancySettings, *, radius: float, samples_per_unit: float) -> None:
        super().__init__()
        self.resolution, self.decay, self.radius = settings.resolution, settings.decay, radius
        self.threshold = settings.threshold * samples_per_unit
        shape = (self.resolution, self.resolution, self.resolution)
        self.register_buffer("density", torch.zeros(shape))
        self.register_buffer("occupied", torch.ones(shape, dtype=torch.bool))

    def contains(self, points: Tensor) -> Tensor:
        """Whether each world point ``(n 3)`` lies in an occupied cell, ``(n,)`` bool."""
        cells = self.resolution / (2 * self.radius) * points + self.resolution / 2
        x, y, z = cells.int().clamp_(0, self.resolution - 1).unbind(-1)
        return self.occupied.flatten().index_select(0, (x * self.resolution + y) * self.resolution + z)

    @torch.no_grad()
    def update(self, density: Callable[[Tensor], Tensor], generator: torch.Generator) -> None:
        """Measure ``density`` (world points ``(n 3)`` to ``(n,)``) once in each cell, at a random place.

        Cells beyond the ball of ``radius``, where no ray has samples, are not measured.
        """
        side = 2 * self.radius / self.resolution
        axis = torch.arange(self.resolution, device=self.density.device)
        corners = torch.cartesian_prod(axis, axis, axis) * side - self.radius
        jitter = to_device(torch.rand(corners.shape, generator=generator, device=generator.device), corners.device)
        reach = torch.linalg.vector_norm(corners + side / 2, dim=-1) < self.radius + side
        measured = torch.zeros(len(corners), device=corners.device)
        measured[reach] = density((corners + side * jitter)[reach])
        self.density.copy_(torch.maximum(self.decay * self.density, measured.view_as(self.density)))
        # Written so that a density that is not a number counts as filled: a broken field must show in the render.
        filled = ~(self.density <= self.density.mean().clamp(max=self.threshold))
        self.occupied.copy_(nn.functional.max_pool3d(filled.float()[None], 3, stride=1, padding=1)[0] > 0)

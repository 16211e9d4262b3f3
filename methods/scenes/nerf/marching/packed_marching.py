"""Ray marching in plain torch, on any device."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.scenes.nerf.marching import quadrature
from methods.scenes.nerf.marching.marching import Density, Samples, march
from methods.scenes.nerf.marching.occupancy import OccupancyGrid


class PackedMarching:
    """Equal strata over each ray's chord through the ball, the empty ones left out.

    Args:
        radius: Radius of the ball, world units.
        samples: Strata of a ray.
    """

    def __init__(self, *, radius: float, samples: int) -> None:
        self.samples = samples
        self.samples_per_unit = samples / (2 * radius)

    def march(
        self,
        origins: Tensor,
        directions: Tensor,
        occupancy: OccupancyGrid,
        density: Density,
        rays: torch.Generator | None,
    ) -> Samples:
        """See :class:`methods.scenes.nerf.marching.marching.Marching`."""
        return march(origins, directions, occupancy, strata=self.samples, rays=rays)

    def weights(self, density: Tensor, samples: Samples) -> Tensor:
        """See :class:`methods.scenes.nerf.marching.marching.Marching`."""
        return quadrature.weights(density, samples)

"""Samples along rays: stratified between a ray's two crossings of the ball, only where space is occupied."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from methods.scenes.nerf.marching.occupancy import OccupancyGrid
from methods.transfer import to_device

#: World points ``(n 3)`` to their density ``(n,)``.
Density = Callable[[Tensor], Tensor]


class Samples(NamedTuple):
    """Samples of many rays, packed (as nerfacc packs them): sorted by ray, then by distance."""

    points: Tensor  # (m 3), world units
    ray: Tensor  # (m,) int64, the ray of each sample
    stratum: Tensor  # (m,) int64, the place of each sample among its ray's
    distances: Tensor  # (m,), from the ray's origin, world units
    widths: Tensor  # (m,), length of ray that each sample stands for, world units
    shape: tuple[int, int]  # rays, strata of a ray

    def select(self, index: Tensor) -> Samples:
        """The samples at ``index`` ``(k,)`` int64, in ascending order."""
        return Samples(
            points=self.points.index_select(0, index),
            ray=self.ray.index_select(0, index),
            stratum=self.stratum.index_select(0, index),
            distances=self.distances.index_select(0, index),
            widths=self.widths.index_select(0, index),
            shape=self.shape,
        )


class Marching(Protocol):
    """Where a scene is looked at, and how much each look counts."""

    samples_per_unit: float  # on the longest ray, per world unit

    def march(
        self,
        origins: Tensor,
        directions: Tensor,
        occupancy: OccupancyGrid,
        density: Density,
        rays: torch.Generator | None,
    ) -> Samples:
        """Samples along rays, without a gradient.

        Args:
            origins: ``(r 3)``, world units.
            directions: ``(r 3)``, unit length.
            occupancy: Where samples are worth evaluating.
            density: The field's, for a marching that leaves out what does not show.
            rays: Jitters the samples; None puts them in the middles.
        """
        ...

    def weights(self, density: Tensor, samples: Samples) -> Tensor:
        """The share ``(m,)`` of each sample in its pixel, for the densities ``(m,)`` of samples from :meth:`march`."""
        ...


@torch.no_grad()
def march(
    origins: Tensor,
    directions: Tensor,
    occupancy: OccupancyGrid,
    *,
    strata: int,
    rays: torch.Generator | None,
) -> Samples:
    """Cut each ray's chord through the ball into equal strata and put one sample in each occupied one.

    Args:
        origins: ``(r 3)``, world units.
        directions: ``(r 3)``, unit length.
        occupancy: Where samples are worth evaluating; its radius is the ball's.
        strata: Strata of a ray.
        rays: Places a sample at random in its stratum (NeRF, arXiv 2003.08934, eq. 2); None takes the middle.
    """
    near, far = chord(origins, directions, occupancy.radius)
    hits = (far > near).nonzero()[:, 0]
    near, widths = near[hits, None], (far - near)[hits, None] / strata
    place: Tensor | float = 0.5
    if rays is not None:
        place = to_device(torch.rand(len(hits), strata, generator=rays, device=rays.device), origins.device)
    distances = near + widths * (torch.arange(strata, device=origins.device) + place)
    points = (origins[hits, None] + directions[hits, None] * distances[..., None]).view(-1, 3)
    kept = occupancy.contains(points).nonzero()[:, 0]
    hit = kept // strata
    return Samples(
        points=points.index_select(0, kept),
        ray=hits.index_select(0, hit),
        stratum=kept - hit * strata,
        distances=distances.flatten().index_select(0, kept),
        widths=widths.flatten().index_select(0, hit),
        shape=(len(origins), strata),
    )


def chord(origins: Tensor, directions: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Distances ``(r,)`` at which rays enter and leave the ball; entry = exit for those that miss it."""
    middle = -(origins * directions).sum(-1)
    half_squared = middle**2 - (origins**2).sum(-1) + radius**2
    half = half_squared.clamp(min=0).sqrt()
    near, far = (middle - half).clamp(min=0), (middle + half).clamp(min=0)
    return near, far

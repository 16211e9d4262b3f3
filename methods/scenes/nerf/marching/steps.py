"""Ray marching in plain torch, on any device: equal steps of a ray's chord through the ball."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from methods.scenes.nerf.marching import quadrature
from methods.scenes.nerf.marching.pruning import visible
from methods.scenes.nerf.marching.samples import Density, Samples
from methods.scenes.nerf.occupancy import OccupancyGrid

#: Steps that are tried at once, most of which are empty; a large image then fits on the device.
STEPS_AT_ONCE = 2**22


class TorchMarcher:
    """A sample in the middle of each step through occupied space that is neither transparent nor hidden.

    Args:
        samples_per_unit: Steps of a ray per world unit.
        radius: Radius of the ball, world units.
    """

    def __init__(self, samples_per_unit: float, radius: float) -> None:
        self.samples_per_unit = samples_per_unit
        self.steps = math.ceil(2 * radius * samples_per_unit)

    @torch.no_grad()
    def march(
        self,
        origins: Tensor,
        directions: Tensor,
        occupancy: OccupancyGrid,
        density: Density,
        jitter: Tensor | None,
    ) -> Samples:
        """Samples with some opacity that are not hidden."""
        step = 1 / self.samples_per_unit
        found = []
        for first in range(0, len(origins), rays := max(1, STEPS_AT_ONCE // self.steps)):
            some = slice(first, first + rays)
            shift = None if jitter is None else jitter[some]
            part = march(origins[some], directions[some], occupancy, step=step, steps=self.steps, jitter=shift)
            part = visible(part, density(part.points), occupancy, step)
            found.append(part._replace(ray=part.ray + first))
        points, ray, stratum, distances, widths = map(torch.cat, zip(*(part[:5] for part in found), strict=True))
        return Samples(points, ray, stratum, distances, widths, shape=(len(origins), self.steps))

    def weights(self, density: Tensor, samples: Samples) -> Tensor:
        """The weights of volume rendering ``(m,)``."""
        return quadrature.weights(density, samples)


@torch.no_grad()
def march(
    origins: Tensor,
    directions: Tensor,
    occupancy: OccupancyGrid,
    *,
    step: float,
    steps: int,
    jitter: Tensor | None,
) -> Samples:
    """Walk along each ray through the ball in equal steps and put a sample into the middle of each occupied one.

    Args:
        origins: ``(r 3)``, world units.
        directions: ``(r 3)``, unit length.
        occupancy: Where samples are worth evaluating; its radius is the ball's.
        step: Length of a step, world units.
        steps: Steps of the longest ray.
        jitter: ``(r,)`` in [0, 1), by how much of a step each ray's steps are later; None is 0.
    """
    near, far = chord(origins, directions, occupancy.radius)
    near = near if jitter is None else near + step * jitter
    hits = (far > near).nonzero()[:, 0]
    far = far.index_select(0, hits)[:, None]
    distances = near.index_select(0, hits)[:, None] + step * (torch.arange(steps, device=origins.device) + 0.5)
    from_, along = origins.index_select(0, hits), directions.index_select(0, hits)
    points = (from_[:, None] + along[:, None] * distances[..., None]).view(-1, 3)
    kept = ((distances < far).flatten() & occupancy.contains(points)).nonzero()[:, 0]
    hit = kept // steps
    distances = distances.flatten().index_select(0, kept)
    return Samples(
        points=points.index_select(0, kept),
        ray=hits.index_select(0, hit),
        stratum=kept - hit * steps,
        distances=distances,
        widths=torch.full_like(distances, step),
        shape=(len(origins), steps),
    )


def chord(origins: Tensor, directions: Tensor, radius: float) -> tuple[Tensor, Tensor]:
    """Distances ``(r,)`` at which rays enter and leave the ball; entry = exit for those that miss it."""
    middle = -(origins * directions).sum(-1)
    half_squared = middle**2 - (origins**2).sum(-1) + radius**2
    half = half_squared.clamp(min=0).sqrt()
    near, far = (middle - half).clamp(min=0), (middle + half).clamp(min=0)
    return near, far

"""Ray marching in plain torch, on any device: stratified samples of a ray's chord through the ball."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.scenes.nerf.marching import marchings, quadrature
from methods.scenes.nerf.marching.samples import Density, Marching, Samples
from methods.scenes.nerf.occupancy import OccupancyGrid
from methods.settings import require
from methods.transfer import to_device


@marchings.register("packed")
@dataclass(frozen=True)
class PackedMarching(Marching):
    """Equal strata over each ray's chord through the ball, without the empty ones.

    Raises:
        ValueError: If ``samples`` is not positive.
    """

    samples: int = 48
    """Strata of a ray."""

    def __post_init__(self) -> None:
        require(self.samples > 0, "samples", self.samples, "a positive number")

    def build(self, radius: float) -> PackedMarcher:
        """A marcher through the ball."""
        return PackedMarcher(self.samples, radius)


class PackedMarcher:
    """A sample in each occupied stratum of a ray.

    Args:
        samples: Strata of a ray.
        radius: Radius of the ball, world units.
    """

    def __init__(self, samples: int, radius: float) -> None:
        self.samples = samples
        self.samples_per_unit = samples / (2 * radius)

    def march(
        self,
        origins: Tensor,
        directions: Tensor,
        occupancy: OccupancyGrid,
        density: Density,
        generator: torch.Generator | None,
    ) -> Samples:
        """Samples in the occupied strata; ``density`` is not used."""
        return march(origins, directions, occupancy, strata=self.samples, generator=generator)

    def weights(self, density: Tensor, samples: Samples) -> Tensor:
        """The weights of volume rendering ``(m,)``."""
        return quadrature.weights(density, samples)


@torch.no_grad()
def march(
    origins: Tensor,
    directions: Tensor,
    occupancy: OccupancyGrid,
    *,
    strata: int,
    generator: torch.Generator | None,
) -> Samples:
    """Cut each ray's chord through the ball into equal strata and put one sample in each occupied one.

    Args:
        origins: ``(r 3)``, world units.
        directions: ``(r 3)``, unit length.
        occupancy: Where samples are worth evaluating; its radius is the ball's.
        strata: Strata of a ray.
        generator: Places a sample at random in its stratum (NeRF, arXiv 2003.08934, eq. 2); None takes the middle.
    """
    near, far = chord(origins, directions, occupancy.radius)
    hits = (far > near).nonzero()[:, 0]
    near, widths = near[hits, None], (far - near)[hits, None] / strata
    place: Tensor | float = 0.5
    if generator is not None:
        place = to_device(torch.rand(len(hits), strata, generator=generator, device=generator.device), origins.device)
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

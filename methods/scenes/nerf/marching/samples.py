"""The contract of ray marching, and the samples that it makes."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from methods.scenes.nerf.occupancy import OccupancyGrid

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

    def of_rays(self, rays: slice, some: slice) -> Samples:
        """The samples ``some`` of consecutive ``rays``, which are counted from the first of them on."""
        count, strata = self.shape
        if (rays.start, rays.stop) == (0, count):
            return self
        return Samples(
            points=self.points[some],
            ray=self.ray[some] - rays.start,
            stratum=self.stratum[some],
            distances=self.distances[some],
            widths=self.widths[some],
            shape=(rays.stop - rays.start, strata),
        )


class Marcher(Protocol):
    """Places samples along rays and weighs them."""

    samples_per_unit: float  # on the longest ray, per world unit

    def march(
        self,
        origins: Tensor,
        directions: Tensor,
        occupancy: OccupancyGrid,
        density: Density,
        jitter: Tensor | None,
    ) -> Samples:
        """Samples along rays, without a gradient.

        Args:
            origins: ``(r 3)``, world units.
            directions: ``(r 3)``, unit length.
            occupancy: Where samples are worth evaluating.
            density: The field's, for a marching that leaves out samples without effect.
            jitter: ``(r,)`` in [0, 1), by how much of a step each ray's samples are later; None is 0.
        """
        ...

    def weights(self, density: Tensor, samples: Samples) -> Tensor:
        """The share ``(m,)`` of each sample in its pixel, for the densities ``(m,)`` of samples from :meth:`march`."""
        ...


@dataclass(frozen=True)
class Marching(ABC):
    """The settings of ray marching."""

    def backend_on(self, device: torch.device) -> str | None:
        """The code that marches on ``device``, for a marching with a choice of it."""
        return None

    @abstractmethod
    def build(self, radius: float) -> Marcher:
        """The marcher through a ball of ``radius``, world units.

        Raises:
            MissingPackageError: If a package is not installed.
        """

"""The samples that are visible in an image, with their normals."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor

from methods.scenes.nerf.marching.samples import Samples


class Surface(NamedTuple):
    """The samples of a render whose normals are measured."""

    places: Tensor  # (k,) int64, among the samples of the render
    samples: Samples  # k of them
    weight: Tensor  # (k 1), the share of each in its pixel
    normals: Tensor  # (k 3), unit length

    def scattered_normals(self, count: int) -> Tensor:
        """The normals among all ``count`` samples of the render, ``(count 3)``, 0 where none was measured."""
        return self.normals.new_zeros(count, 3).index_copy(0, self.places, self.normals)


def measure_surface(
    samples: Samples, weight: Tensor, normals: Callable[[Tensor], Tensor], *, least_weight: float
) -> Surface:
    """The samples with a share over ``least_weight``, and their normals.

    Args:
        samples: All samples of a render.
        weight: ``(m 1)``, the share of each in its pixel.
        normals: World points ``(k 3)`` to unit normals ``(k 3)``.
        least_weight: Share in its pixel below which a sample has no normal measured.
    """
    index = (weight.detach()[:, 0] > least_weight).nonzero()[:, 0]
    surface = samples.select(index)
    return Surface(index, surface, weight.index_select(0, index), normals(surface.points))

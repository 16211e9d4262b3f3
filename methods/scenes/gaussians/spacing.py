"""The distance of points from their neighbours, and sizes of Gaussians by it."""

from __future__ import annotations

from typing import Literal

import torch
from scipy.spatial import cKDTree
from torch import Tensor

#: Least distance that is returned (3D Gaussian Splatting: the root of 1e-7), and the greatest, which keeps a point that
#: is far from all others, or alone, from filling the views; world units.
LEAST, MOST = 1e-7**0.5, 0.2

#: Neighbours of each point.
_NEIGHBOURS = 3


def neighbour_distance(positions: Tensor) -> Tensor:
    """Root mean square ``(n,)`` of the distances to the three nearest neighbours, from ``LEAST`` to ``MOST``.

    It is the initial size of Gaussians in 3D Gaussian Splatting (``distCUDA2`` of its simple-knn).

    Args:
        positions: ``(n 3)``, world units.
    """
    known = positions.detach().cpu().double().numpy()
    nearest = min(_NEIGHBOURS, len(known) - 1)
    if nearest == 0:
        return torch.full_like(positions[:, 0], MOST)
    distances, _ = cKDTree(known).query(known, k=nearest + 1)  # the nearest is the point itself
    squares = torch.from_numpy(distances[:, 1:]).square().mean(1)
    return squares.sqrt().clamp(LEAST, MOST).to(positions)


def initial_sizes(size: float | Literal["neighbours"], positions: Tensor) -> Tensor:
    """Standard deviations ``(n,)`` of Gaussians before the first step, world units.

    Args:
        size: One for all, or the distance of each to its neighbours.
        positions: ``(n 3)``, world units.
    """
    return neighbour_distance(positions) if size == "neighbours" else torch.full_like(positions[:, 0], size)

"""As many points as are asked for, from other points or from a surface."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.scenes.gaussians.initialisations.initialisation import Points
from methods.scenes.gaussians.spacing import neighbour_distance

#: Standard deviation of the places of a point that is repeated, in distances to its neighbours.
_JITTER = 0.5


def resample(points: Points, count: int, generator: torch.Generator) -> Points:
    """``count`` of the points: different ones, or if they are fewer, all as often as each other to one time.

    Repeated points are moved by half of the distance to their neighbours, so that no two are at one place.

    Args:
        points: At least one, on the CPU.
        count: Number of points that is wanted.
        generator: Draws the choice and the moves.
    """
    present = len(points.positions)
    rounds = -(-count // present)
    order = torch.cat([_permutation(present, generator) for _ in range(rounds)])[:count]
    positions = points.positions[order]
    if rounds > 1:
        moves = torch.randn(positions.shape, generator=generator, device=generator.device).to(positions)
        moves[:present] = 0  # each point itself is there once
        positions = positions + _JITTER * neighbour_distance(points.positions)[order, None] * moves
    return Points(positions, None if points.rgb is None else points.rgb[order])


def choose_on_triangles(triangles: Tensor, count: int, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Places on a surface, evenly over its area.

    Of ``count`` equal shares of the area, in the order of the triangles, each has one place.

    Args:
        triangles: Corners ``(m 3 3)`` of at least one triangle with an area, on the CPU.
        count: Number of places.
        generator: Draws them.

    Returns:
        The triangle ``(n,)`` of each place, and the weights ``(n 3)`` of its corners.
    """
    corner, one, other = triangles.double().unbind(1)
    areas = torch.linalg.cross(one - corner, other - corner).norm(dim=-1).cumsum(0)
    draws = torch.rand((3, count), generator=generator, device=generator.device).cpu().double()
    shares = (torch.arange(count, dtype=torch.float64) + draws[0]) / count
    chosen = torch.searchsorted(areas, shares * areas[-1], right=True).clamp(max=len(areas) - 1)
    root = draws[1].sqrt()  # evenly in the triangle
    return chosen, torch.stack([1 - root, root * (1 - draws[2]), root * draws[2]], dim=-1)


def _permutation(count: int, generator: torch.Generator) -> Tensor:
    return torch.randperm(count, generator=generator, device=generator.device).cpu()

"""Surface normals of a density, by finite differences or by autograd.

Finite differences work with every encoding.  Autograd needs one that is twice differentiable, which torch's own grid
reads are not: a penalty on normals has a gradient only through the second derivative.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from methods.transfer import to_device

#: Corners of a tetrahedron: four evaluations give a central difference that six would along the axes.
_CORNERS = ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0))


def density_normals(level: Callable[[Tensor], Tensor], points: Tensor, step: float) -> Tensor:
    """Unit normals ``(n 3)`` that point down the slope of ``level``, out of what is dense.

    Args:
        level: World points ``(n 3)`` to the density ``(n,)``, or anything that rises with it.
        points: ``(n 3)``, world units.
        step: Distance along each axis to the four evaluations, world units.
    """
    corners = to_device(torch.tensor(_CORNERS), points)
    values = level((points + step * corners[:, None]).flatten(0, 1)).view(4, -1)
    return torch.nn.functional.normalize(-(values.T @ corners), dim=-1)


def analytic_normals(level: Callable[[Tensor], Tensor], points: Tensor) -> Tensor:
    """Unit normals ``(n 3)`` that point down the gradient of ``level``; they have a gradient where grad is enabled.

    Args:
        level: World points ``(n 3)`` to the density ``(n,)``, or anything that rises with it, each from its own point.
        points: ``(n 3)``, world units.
    """
    wanted = torch.is_grad_enabled()
    with torch.enable_grad():
        points = points.detach().requires_grad_()
        (slope,) = torch.autograd.grad(level(points).sum(), points, create_graph=wanted)
    return torch.nn.functional.normalize(-slope, dim=-1)

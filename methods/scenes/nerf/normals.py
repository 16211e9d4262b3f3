"""Surface normals of a density, by finite differences or by autograd.

Finite differences work with every encoding.  Autograd needs one that is twice differentiable, which torch's own grid
reads are not: a penalty on normals has a gradient only through the second derivative.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from methods.settings import require
from methods.transfer import to_device


@dataclass(frozen=True)
class NormalSettings:
    """Settings of the measurement of normals.

    Raises:
        ValueError: If a setting is out of its range.
    """

    kind: Literal["differences", "analytic"] = "differences"
    """By finite differences, or by autograd, for an encoding that is twice differentiable."""
    step: float = 0.02
    """Distance of the finite differences, world units (threestudio: 0.01)."""
    weight: float = 1e-3
    """Share in its pixel up to which a sample has no normal measured, because a normal costs up to four evaluations of
    the field (threestudio measures all: 0)."""

    def __post_init__(self) -> None:
        require(self.step > 0, "step", self.step, "a positive number")
        require(0 <= self.weight < 1, "weight", self.weight, "a share in [0, 1)")

    @property
    def with_the_field(self) -> bool:
        """Whether one reading of the encoding gives density, colour and normals: analytic ones of all samples."""
        return self.kind == "analytic" and self.weight == 0


#: Corners of a tetrahedron: four evaluations give a central difference that six would along the axes.
_CORNERS = ((1.0, -1.0, -1.0), (-1.0, -1.0, 1.0), (-1.0, 1.0, -1.0), (1.0, 1.0, 1.0))


def density_normals(level: Callable[[Tensor], Tensor], points: Tensor, step: float) -> Tensor:
    """Unit normals ``(n 3)`` that point down the slope of ``level``, out of dense regions.

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

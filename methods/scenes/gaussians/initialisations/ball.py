"""Points in a ball."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from methods.scenes.gaussians.initialisations import initialisations
from methods.scenes.gaussians.initialisations.initialisation import Initialisation, Points
from methods.settings import require


@initialisations.register("ball")
@dataclass(frozen=True)
class Ball(Initialisation):
    """Evenly distributed in a ball around the origin.

    Raises:
        ValueError: If the radius is not positive.
    """

    radius: float = 0.5
    """Radius of the ball, world units (DreamGaussian: 0.5)."""

    def __post_init__(self) -> None:
        require(self.radius > 0, "radius", self.radius, "a positive distance in world units")

    def points(self, count: int, generator: torch.Generator) -> Points:
        """``count`` grey points."""
        device = generator.device
        outward = torch.nn.functional.normalize(torch.randn((count, 3), generator=generator, device=device), dim=-1)
        return Points(self.radius * torch.rand((count, 1), generator=generator, device=device) ** (1 / 3) * outward)

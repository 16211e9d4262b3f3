"""Points that are densest in the middle."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from methods.scenes.gaussians.initialisations import initialisations
from methods.scenes.gaussians.initialisations.initialisation import Initialisation, Points
from methods.settings import require


@initialisations.register("blob")
@dataclass(frozen=True)
class GaussianBlob(Initialisation):
    """From a normal distribution around the origin: the density of DreamFusion's blob, exp(-|x|² / (2 · 0.2²)).

    DreamFusion (arXiv 2209.14988, appendix A.2) adds it to the density of its NeRF.

    Raises:
        ValueError: If the standard deviation is not positive.
    """

    std: float = 0.2
    """Standard deviation along each axis, world units (DreamFusion: 0.2)."""

    def __post_init__(self) -> None:
        require(self.std > 0, "std", self.std, "a positive distance in world units")

    def points(self, count: int, generator: torch.Generator) -> Points:
        """``count`` grey points."""
        return Points(self.std * torch.randn((count, 3), generator=generator, device=generator.device))

"""Coarse to fine: the levels of an encoding are shown one after the other."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.scenes.nerf.encodings import encodings
from methods.scenes.nerf.encodings.encoding import Encoding, EncodingModule
from methods.scenes.nerf.encodings.hash_grid import HashGrid
from methods.settings import require


@encodings.register("progressive_bands")
@dataclass(frozen=True)
class ProgressiveBands(Encoding):
    """Another encoding's features, its finer levels masked with zeros at first.

    The ``ProgressiveBandHashGrid`` of threestudio, with steps turned into progress; the defaults are those of its
    ``sdi.yaml`` (level 8 until step 2000 of 10 000, one more every 500 steps, all 16 from step 6000).  A masked level
    has no gradient.  The mask is saved with the scene, which therefore renders the same after it is loaded.

    Raises:
        ValueError: If a setting is out of its range.
    """

    encoding: Encoding = HashGrid(levels=16)
    """The encoding that is masked; it has the same number of features on each of its levels."""
    levels: int = 16
    """Levels of the encoding."""
    start_level: int = 8
    """Levels that are shown from the beginning."""
    start: float = 0.2
    """Progress until which no more levels are shown."""
    every: float = 0.05
    """Progress from one more level to the next; the first comes at ``start + every``."""

    def __post_init__(self) -> None:
        require(1 <= self.start_level <= self.levels, "start_level", self.start_level, f"from 1 to {self.levels}")
        require(0 <= self.start <= 1, "start", self.start, "a progress in [0, 1]")
        require(0 < self.every <= 1, "every", self.every, "a progress in (0, 1]")

    def build(self, generator: torch.Generator) -> ProgressiveBandsModule:
        """The encoding with its finer levels masked."""
        return ProgressiveBandsModule(self, self.encoding.build(generator))

    def level_at(self, progress: float) -> int:
        """Levels that are shown at ``progress``."""
        # the small addend keeps 0.25 - 0.2 from being less than 0.05
        more = int(max(progress - self.start, 0.0) / self.every + 1e-6)
        return min(self.start_level + more, self.levels)


class ProgressiveBandsModule(EncodingModule):
    """An encoding and the mask of its features."""

    mask: Tensor  # (features,), 0 or 1

    def __init__(self, settings: ProgressiveBands, encoding: EncodingModule) -> None:
        super().__init__()
        self.settings, self.encoding = settings, encoding
        self.features, self.twice_differentiable = encoding.features, encoding.twice_differentiable
        self.points_at_once = encoding.points_at_once
        divides = self.features % settings.levels == 0
        require(divides, "levels", settings.levels, f"a divisor of the encoding's {self.features} features")
        self.register_buffer("mask", torch.zeros(self.features, device=next(encoding.parameters()).device))
        self.before_step(0.0)

    def before_step(self, progress: float) -> None:
        """Show the levels of ``progress``."""
        self.encoding.before_step(progress)
        shown = self.settings.level_at(progress) * (self.features // self.settings.levels)
        self.mask[:shown] = 1.0
        self.mask[shown:] = 0.0

    def backend_on(self, device: torch.device) -> str | None:
        """The backend of the encoding that is masked."""
        return self.encoding.backend_on(device)

    def forward(self, points: Tensor) -> Tensor:
        """Points ``(n 3)`` of the unit cube to features ``(n features)``."""
        features: Tensor = self.encoding(points)
        return features * self.mask

"""The contract of an encoding of space."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


class EncodingModule(nn.Module, ABC):
    """Learned features of a point."""

    features: int
    """Width of the output."""
    twice_differentiable: bool
    """Whether the slope in space has a gradient, which analytic normals need."""
    points_at_once: int = 2**22
    """Points that are evaluated at once where no gradient is wanted, so that a large image fits on the device."""

    def before_step(self, progress: float) -> None:
        """Change what depends on ``progress`` in [0, 1] before a step; nothing by default."""
        return

    def backend_on(self, device: torch.device) -> str | None:
        """The code that computes the features on ``device``, for an encoding with a choice of it."""
        return None

    @abstractmethod
    def forward(self, points: Tensor) -> Tensor:
        """Points ``(n 3)`` of the unit cube to features ``(n features)``; points outside read the nearest face."""


@dataclass(frozen=True)
class Encoding(ABC):
    """The settings of an encoding."""

    @abstractmethod
    def build(self, generator: torch.Generator) -> EncodingModule:
        """The features before the first step, drawn from ``generator`` on its device.

        Raises:
            ValueError: If settings do not go together.
            MissingPackageError: If a package is not installed.
        """

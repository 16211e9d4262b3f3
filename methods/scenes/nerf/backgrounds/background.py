"""The contract of a background."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

import torch
from torch import Tensor, nn


class BackgroundModule(nn.Module, ABC):
    """Colours behind a scene."""

    learning_rate: float
    """Adam's step size for the parameters of the background."""

    def before_step(self, progress: float) -> None:
        """Change what depends on ``progress`` in [0, 1] before a step; nothing by default."""
        return

    @abstractmethod
    def forward(
        self, directions: Tensor, given: Tensor, generator: torch.Generator | None, *, training: bool
    ) -> Tensor:
        """Colours ``(b 3 h w)`` in [0, 1], or of a shape that broadcasts to it.

        Args:
            directions: ``(b h w 3)``, unit length.
            given: ``(b 3)``, the colours that the caller proposes.
            generator: Draws what is random in a render of the optimisation.
            training: Whether the render is one of the optimisation.
        """


@dataclass(frozen=True)
class Background(ABC):
    """The settings of a background."""

    @abstractmethod
    def build(self, generator: torch.Generator) -> BackgroundModule:
        """The background before the first step; ``generator`` draws its parameters."""

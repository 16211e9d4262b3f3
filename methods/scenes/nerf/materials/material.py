"""The contract of a material."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from methods.cameras import Cameras


class Lighting(NamedTuple):
    """The light in each view of a batch."""

    positions: Tensor  # (b 3), world units
    lit: Tensor  # (b,) bool, the views that are lit; the others show the colour itself
    textured: Tensor  # (b,) bool, the lit views that show the colour; the others are white


class MaterialModule(nn.Module, ABC):
    """Turns a field's colours into what a camera sees."""

    def before_step(self, progress: float) -> None:
        """Change what depends on ``progress`` in [0, 1] before a step; nothing by default."""
        return

    @abstractmethod
    def light(self, cameras: Cameras, generator: torch.Generator | None, *, training: bool) -> Lighting | None:
        """The light of a render; None if every view shows the colour itself and needs no normals.

        Args:
            cameras: On any device.
            generator: Draws the light.
            training: Whether the render is one of the optimisation.
        """

    @abstractmethod
    def shade(self, rgb: Tensor, normals: Tensor, points: Tensor, view: Tensor, lighting: Lighting) -> Tensor:
        """Shaded colours ``(n 3)``.

        Args:
            rgb: ``(n 3)``, the field's.
            normals: ``(n 3)``, unit length, or 0 where none was measured.
            points: ``(n 3)``, world units.
            view: ``(n,)`` int64, the view of each sample.
            lighting: The result of :meth:`light`.
        """


@dataclass(frozen=True)
class Material(ABC):
    """The settings of a material."""

    @abstractmethod
    def build(self, generator: torch.Generator) -> MaterialModule:
        """The material before the first step; ``generator`` draws its parameters."""

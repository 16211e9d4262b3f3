"""The contract of an initialisation."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor


class Points(NamedTuple):
    """Centres of Gaussians before the first step."""

    positions: Tensor  # (n 3), world units
    rgb: Tensor | None = None  # (n 3) in [0, 1]; None for grey


@dataclass(frozen=True)
class Initialisation(ABC):
    """The settings of an initialisation."""

    @abstractmethod
    def points(self, count: int, generator: torch.Generator) -> Points:
        """``count`` points on the generator's device.

        Args:
            count: Number of Gaussians.
            generator: Draws whatever is random.
        """

"""The contract of density control."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import nn

from methods.scenes.gaussians.rasterisers.rasteriser import Rasterised

if TYPE_CHECKING:
    from methods.scenes.gaussians.gaussians import GaussianScene


class Controller(nn.Module, ABC):
    """Changes the Gaussians between steps.  What it remembers are buffers, which the checkpoint keeps."""

    def watch(self, rasterised: Rasterised) -> None:
        """See a render of the optimisation before its gradient is known; nothing by default."""
        return

    def diagnostics(self, count: int) -> Mapping[str, float]:
        """Scalars to log of ``count`` Gaussians; none by default."""
        return {}

    @abstractmethod
    def after_step(
        self,
        scene: GaussianScene,
        *,
        step: int,
        progress: float,
        optimiser: torch.optim.Optimizer,
        generator: torch.Generator,
    ) -> None:
        """Change ``scene`` after the optimiser's step.

        Args:
            scene: The Gaussians.
            step: Number of the step, from 0.
            progress: Of the optimisation, in [0, 1].
            optimiser: The optimiser of the scene's parameter groups, whose moments follow the Gaussians.
            generator: Draws whatever is random.
        """


@dataclass(frozen=True)
class DensityControl(ABC):
    """The settings of density control."""

    @abstractmethod
    def build(self, count: int) -> Controller:
        """The controller of ``count`` Gaussians before the first step."""

"""A background of one colour."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.scenes.nerf.backgrounds import backgrounds
from methods.scenes.nerf.backgrounds.background import Background, BackgroundModule


@backgrounds.register("given")
@dataclass(frozen=True)
class GivenBackground(Background):
    """One colour for each view, which the study and the evaluation choose."""

    def build(self, generator: torch.Generator) -> GivenBackgroundModule:
        """Nothing to learn."""
        return GivenBackgroundModule()


class GivenBackgroundModule(BackgroundModule):
    """Shows the caller's colour."""

    learning_rate = 0.0

    def forward(
        self, directions: Tensor, given: Tensor, generator: torch.Generator | None, *, training: bool
    ) -> Tensor:
        """The proposed colours ``(b 3 1 1)``."""
        return given[:, :, None, None]

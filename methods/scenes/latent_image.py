"""Latents: the two-dimensional scene of the papers' 2D experiments."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.contracts import Prior, Rendering
from methods.scenes import scenes
from methods.scenes.flat import FlatScene
from methods.scenes.scene import Output, SceneSettings
from methods.settings import require


@scenes.register("latent")
@dataclass(frozen=True)
class LatentImage(SceneSettings):
    """Latents of the study's prior, without encoder and renderer in between.

    Raises:
        ValueError: If a setting is out of its range.
    """

    has_sides = False

    initial_std: float = 0.1
    """Standard deviation of the latents about 0 before the first step."""
    learning_rate: float = 0.1
    """Adam's step size, in latents (0.1 in the released 2D code of arXiv 2405.15891)."""

    def __post_init__(self) -> None:
        require(self.initial_std >= 0, "initial_std", self.initial_std, "zero or a positive standard deviation")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a positive number")

    def build(self, prior: Prior, generator: torch.Generator) -> LatentImageScene:
        """Random latents of the prior's shape."""
        shape = (1, *prior.latent_shape)
        latents = self.initial_std * torch.randn(shape, generator=generator, device=generator.device)
        return LatentImageScene(latents, self.learning_rate)


class LatentImageScene(FlatScene):
    """Latents ``(1 c lh lw)``."""

    def render(
        self,
        cameras: Cameras,
        *,
        resolution: int,
        background: Tensor,
        generator: torch.Generator | None = None,
        training: bool = False,
        outputs: Collection[Output] = (),
    ) -> Rendering:
        """The same latents for every camera; ``resolution`` is that of the colours that a view decodes."""
        blank = self.values.new_zeros(len(cameras), 1, resolution, resolution)
        latents = self.values.expand(len(cameras), -1, -1, -1)
        return Rendering(rgb=None, opacity=blank + 1, depth=blank, latents=latents)

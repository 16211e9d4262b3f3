"""An image of pixels: the two-dimensional scene of a prior that works on any image."""

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


@scenes.register("image")
@dataclass(frozen=True)
class Image(SceneSettings):
    """Pixels as logits, shown through a sigmoid.

    Pixels are logits and not clamped colours, because a clamped pixel outside of [0, 1] has no gradient and could not
    come back.  The colours of the NeRF go through a sigmoid too.

    Raises:
        ValueError: If a setting is out of its range.
    """

    has_sides = False

    side: int = 64
    """Height and width, pixels; renders of another resolution are resized."""
    initial_std: float = 0.1
    """Standard deviation of the logits about grey before the first step."""
    learning_rate: float = 0.1
    """Adam's step size, in logits."""

    def __post_init__(self) -> None:
        require(self.side >= 1, "side", self.side, "a positive number of pixels")
        require(self.initial_std >= 0, "initial_std", self.initial_std, "zero or a positive standard deviation")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "a positive number")

    def build(self, prior: Prior, generator: torch.Generator) -> ImageScene:
        """The image with random logits."""
        shape = (1, 3, self.side, self.side)
        logits = self.initial_std * torch.randn(shape, generator=generator, device=generator.device)
        return ImageScene(logits, self.learning_rate)


class ImageScene(FlatScene):
    """An image ``(1 3 side side)`` of logits."""

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
        """The same image for every camera; it has neither depth (0) nor normals (None)."""
        rgb = self.values.sigmoid()
        if resolution != rgb.shape[-1]:
            size = (resolution, resolution)
            rgb = torch.nn.functional.interpolate(rgb, size, mode="bilinear", antialias=True).clamp(0, 1)
        blank = rgb.new_zeros(len(cameras), 1, resolution, resolution)
        return Rendering(rgb=rgb.expand(len(cameras), -1, -1, -1), opacity=blank + 1, depth=blank)

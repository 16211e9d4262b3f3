"""A picture of pixels: the two-dimensional scene of a prior that works on any picture."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.contracts import Rendering
from methods.scenes import scenes
from methods.scenes.picture import Picture
from methods.scenes.settings import demand


@scenes.register("image")
class Image(Picture):
    """Pixels as logits, shown through a sigmoid; implements ``Scene``.

    Logits and not clamped colours: a clamped pixel that leaves [0, 1] has no gradient to come back by, and the
    sigmoid is what the NeRF's colours go through too.

    Args:
        side: Height and width in pixels; renders of another resolution are resized.
        initial_std: Standard deviation of the logits about grey before the first step.
        learning_rate: Adam's step size, in logits.
        init: Generator of the first picture.

    Raises:
        ValueError: If a setting is out of its range; the line names it, its value and what would be right.
    """

    def __init__(
        self,
        *,
        side: int = 64,
        initial_std: float = 0.1,
        learning_rate: float = 0.1,
        init: torch.Generator,
    ) -> None:
        demand(side >= 1, "side", side, "a positive number of pixels")
        demand(initial_std >= 0, "initial_std", initial_std, "zero or a positive standard deviation")
        logits = initial_std * torch.randn(1, 3, side, side, generator=init, device=init.device)
        super().__init__(logits, learning_rate)

    def render(
        self,
        cameras: Cameras,
        *,
        resolution: int,
        background: Tensor,
        rays: torch.Generator | None = None,
        with_normals: bool = False,
    ) -> Rendering:
        """The same picture for every camera; it has neither depth (0) nor normals (None)."""
        rgb = self.values.sigmoid()
        if resolution != rgb.shape[-1]:
            size = (resolution, resolution)
            rgb = torch.nn.functional.interpolate(rgb, size, mode="bilinear", antialias=True).clamp(0, 1)
        blank = rgb.new_zeros(len(cameras), 1, resolution, resolution)
        return Rendering(rgb=rgb.expand(len(cameras), -1, -1, -1), opacity=blank + 1, depth=blank)

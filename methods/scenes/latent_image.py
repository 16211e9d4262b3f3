"""A picture of latents: the two-dimensional scene of the papers, without the encoder's detour."""

from __future__ import annotations

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.contracts import Prior, Rendering
from methods.scenes import scenes
from methods.scenes.picture import Picture
from methods.scenes.settings import demand


@scenes.register("latent")
class LatentImage(Picture):
    """Latents that are optimised as they are, and decoded only where colours are asked for; implements ``Scene``.

    Args:
        initial_std: Standard deviation of the latents about 0 before the first step.
        learning_rate: Adam's step size (0.1 in the released 2D code of arXiv 2405.15891).
        prior: Tells the latents' shape.
        init: Generator of the first latents.

    Raises:
        ValueError: If a setting is out of its range; the line names it, its value and what would be right.
    """

    def __init__(
        self,
        *,
        initial_std: float = 0.1,
        learning_rate: float = 0.1,
        prior: Prior,
        init: torch.Generator,
    ) -> None:
        demand(initial_std >= 0, "initial_std", initial_std, "zero or a positive standard deviation")
        with torch.no_grad():
            picture = torch.zeros(1, 3, prior.resolution, prior.resolution, device=prior.alphas_cumprod.device)
            shape = prior.encode(picture).shape
        super().__init__(initial_std * torch.randn(shape, generator=init, device=init.device), learning_rate)

    def render(
        self,
        cameras: Cameras,
        *,
        resolution: int,
        background: Tensor,
        rays: torch.Generator | None = None,
        with_normals: bool = False,
    ) -> Rendering:
        """The same latents for every camera; ``resolution`` is that of the colours that a view decodes."""
        blank = self.values.new_zeros(len(cameras), 1, resolution, resolution)
        latents = self.values.expand(len(cameras), -1, -1, -1)
        return Rendering(rgb=None, opacity=blank + 1, depth=blank, latents=latents)

"""The rasteriser in plain torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.scenes.gaussians.composition import composite
from methods.scenes.gaussians.projection import project
from methods.scenes.gaussians.rasterisers import rasterisers
from methods.scenes.gaussians.rasterisers.rasteriser import Cloud, Rasterised, Rasteriser
from methods.scenes.gaussians.rotation import rotation_matrix


@rasterisers.register("torch")
@dataclass(frozen=True)
class TorchTiles(Rasteriser):
    """Tiles of 8 × 8 pixels in plain torch, on any device: exact, and in the same order each time."""

    def draw(self, cloud: Cloud, values: Tensor, cameras: Cameras, resolution: int) -> Rasterised:
        """Draw a cloud; every Gaussian that reaches 1/255 at a pixel counts there."""
        axes = rotation_matrix(cloud.rotations) * cloud.scales[:, None]  # (n 3 3), a column each
        ellipses = project(cloud.means, axes @ axes.mT, cameras, resolution)
        sums, opacity = composite(ellipses, cloud.opacities, values, resolution)
        with torch.no_grad():
            xx, xy, yy = ellipses.covariance.unbind(-1)
            longest = (xx + yy) / 2 + (((xx - yy) / 2) ** 2 + xy**2).sqrt()
            radii = torch.where(ellipses.is_seen, 3 * longest.sqrt(), 0.0)
        return Rasterised(sums, opacity, ellipses.centres, radii)

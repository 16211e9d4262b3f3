"""The rasteriser in plain torch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.scenes.gaussians.composition import LEAST, composite
from methods.scenes.gaussians.projection import Ellipses, project
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
        return Rasterised(sums, opacity, ellipses.centres, _radii(ellipses, cloud.opacities, resolution))


@torch.no_grad()
def _radii(ellipses: Ellipses, opacity: Tensor, resolution: int) -> Tensor:
    """The radii ``(b n)``; 0 also where the box around what is at least ``LEAST`` is outside of the image."""
    xx, xy, yy = ellipses.covariance.unbind(-1)
    peak = opacity * ellipses.share
    deviations = (2 * (peak / LEAST).log().clamp(min=0)).sqrt()[..., None]
    half = (deviations * ellipses.covariance[..., ::2].sqrt()).ceil()  # gsplat's box, in whole pixels
    outside = (ellipses.centres + half <= 0) | (ellipses.centres - half >= resolution)
    is_seen = ellipses.is_seen & ~(peak < LEAST) & ~outside.any(-1)
    longest = (xx + yy) / 2 + (((xx - yy) / 2) ** 2 + xy**2).sqrt()
    return torch.where(is_seen, 3 * longest.sqrt(), 0.0)

"""A diffuse surface under a point light near the camera."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from methods.cameras import Cameras
from methods.scenes.nerf.materials import materials
from methods.scenes.nerf.materials.material import Lighting
from methods.scenes.settings import demand
from methods.transfer import to_device


@materials.register("point_light")
class PointLight(nn.Module):
    """Albedo, shaded albedo, or shaded white, drawn anew for each view (DreamFusion, arXiv 2209.14988, section 3.1).

    The ``diffuse-with-point-light-material`` of threestudio; the defaults are those of its ``sdi.yaml``, with steps
    turned into progress.  Evaluation renders show the albedo (``ambient_only_on_test: true``).  Every render of the
    optimisation draws the same count of numbers, lit or not, so that a setting does not shift later draws.

    Args:
        albedo_until: Progress before which every view shows the albedo (1000 of 10 000 steps).
        lit_share: Share of the views after that that are lit (``diffuse_prob``).
        textureless_share: Share of the lit views that are white (``textureless_prob``).
        ambient: Strength of the light from everywhere.
        diffuse: Strength of the point light.
        distance: Range of the light's distance from the origin, world units (threestudio: 0.8 to 1.5).
        jitter: Standard deviation of what is added to the camera's position before it is normalised to the light's
            direction, world units (threestudio's ``light_position_perturb``: 1).
        init: Not used.

    Raises:
        ValueError: If a setting is out of its range.
    """

    def __init__(
        self,
        *,
        albedo_until: float = 0.1,
        lit_share: float = 0.3,
        textureless_share: float = 0.75,
        ambient: float = 0.1,
        diffuse: float = 0.9,
        distance: Sequence[float] = (0.8, 1.5),
        jitter: float = 1.0,
        init: torch.Generator,
    ) -> None:
        super().__init__()
        shares = {"albedo_until": albedo_until, "lit_share": lit_share, "textureless_share": textureless_share}
        for name, value in shares.items():
            demand(0 <= value <= 1, name, value, "a share in [0, 1]")
        for name, value in {"ambient": ambient, "diffuse": diffuse, "jitter": jitter}.items():
            demand(value >= 0, name, value, "zero or a positive number")
        ordered = len(distance) == 2 and 0 < distance[0] <= distance[1]
        demand(ordered, "distance", distance, "an increasing pair of positive distances")
        self.albedo_until, self.lit_share, self.textureless_share = albedo_until, lit_share, textureless_share
        self.ambient, self.diffuse, self.jitter = ambient, diffuse, jitter
        self.distance = distance[0], distance[1]
        self.progress = 0.0

    def before_step(self, progress: float) -> None:
        """See :class:`methods.scenes.nerf.pacing.Paced`."""
        self.progress = progress

    def light(self, cameras: Cameras, rays: torch.Generator | None) -> Lighting | None:
        """See :class:`methods.scenes.nerf.materials.material.Material`."""
        if rays is None:
            return None
        positions = cameras.positions
        offset = to_device(torch.randn(positions.shape, generator=rays, device=rays.device), positions.device)
        chance = torch.rand(3, len(cameras), generator=rays, device=rays.device)
        lit = chance[0] < (self.lit_share if self.progress >= self.albedo_until else 0.0)
        if not lit.any():
            return None
        low, high = self.distance
        reach = to_device(low + (high - low) * chance[1], positions.device)
        direction = nn.functional.normalize(positions + self.jitter * offset, dim=-1)
        textured = chance[2] >= self.textureless_share
        return Lighting(
            reach[:, None] * direction, to_device(lit, positions.device), to_device(textured, positions.device)
        )

    def shade(self, rgb: Tensor, normals: Tensor, points: Tensor, view: Tensor, lighting: Lighting) -> Tensor:
        """See :class:`methods.scenes.nerf.materials.material.Material`."""
        towards = nn.functional.normalize(lighting.positions[view] - points, dim=-1)
        facing = (normals * towards).sum(-1, keepdim=True).clamp(min=0)
        shade = self.ambient + self.diffuse * facing
        surface = torch.where(lighting.textured[view, None], rgb, torch.ones_like(rgb))
        return torch.where(lighting.lit[view, None], surface * shade, rgb)

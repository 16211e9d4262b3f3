"""A diffuse surface under a point light near the camera."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from methods.cameras import Cameras
from methods.scenes.nerf.materials import materials
from methods.scenes.nerf.materials.material import Lighting, Material, MaterialModule
from methods.settings import require
from methods.transfer import to_device


@materials.register("point_light")
@dataclass(frozen=True)
class PointLight(Material):
    """Albedo, shaded albedo, or shaded white, drawn for each view (DreamFusion, arXiv 2209.14988, section 3.1).

    The ``diffuse-with-point-light-material`` of threestudio; the defaults are those of its ``sdi.yaml``, with steps
    turned into progress.  Evaluation renders show the albedo (``ambient_only_on_test: true``).  Every render of the
    optimisation draws the same count of numbers, lit or not, so that a setting does not shift later random draws.

    Raises:
        ValueError: If a setting is out of its range.
    """

    albedo_until: float = 0.1
    """Progress before which every view shows the albedo (1000 of 10 000 steps)."""
    lit_share: float = 0.3
    """Share of the views after that that are lit (``diffuse_prob``)."""
    textureless_share: float = 0.75
    """Share of the lit views that are white (``textureless_prob``)."""
    ambient: float = 0.1
    """Strength of the light from everywhere."""
    diffuse: float = 0.9
    """Strength of the point light."""
    distance: tuple[float, float] = (0.8, 1.5)
    """Range of the light's distance from the origin, world units (threestudio: 0.8 to 1.5)."""
    jitter: float = 1.0
    """Standard deviation of the noise on the camera's position before it is normalised to the light's direction,
    world units (threestudio's ``light_position_perturb``: 1)."""

    def __post_init__(self) -> None:
        for name in ("albedo_until", "lit_share", "textureless_share"):
            require(0 <= getattr(self, name) <= 1, name, getattr(self, name), "a share in [0, 1]")
        for name in ("ambient", "diffuse", "jitter"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "zero or a positive number")
        ordered = 0 < self.distance[0] <= self.distance[1]
        require(ordered, "distance", self.distance, "an increasing pair of positive distances")

    def build(self, generator: torch.Generator) -> PointLightModule:
        """Nothing to learn."""
        return PointLightModule(self)


class PointLightModule(MaterialModule):
    """Draws a light per view and shades by Lambert's law."""

    def __init__(self, settings: PointLight) -> None:
        super().__init__()
        self.settings = settings
        self.progress = 0.0

    def before_step(self, progress: float) -> None:
        """Note the progress, before which no view is lit."""
        self.progress = progress

    def light(self, cameras: Cameras, generator: torch.Generator | None, *, training: bool) -> Lighting | None:
        """A light near each camera, in renders of the optimisation that have a generator."""
        if not training or generator is None:
            return None
        settings = self.settings
        positions = cameras.positions
        offset = to_device(torch.randn(positions.shape, generator=generator, device=generator.device), positions.device)
        chance = torch.rand(3, len(cameras), generator=generator, device=generator.device)
        lit = chance[0] < (settings.lit_share if self.progress >= settings.albedo_until else 0.0)
        if not lit.any():
            return None
        low, high = settings.distance
        reach = to_device(low + (high - low) * chance[1], positions.device)
        direction = nn.functional.normalize(positions + settings.jitter * offset, dim=-1)
        textured = chance[2] >= settings.textureless_share
        return Lighting(
            reach[:, None] * direction, to_device(lit, positions.device), to_device(textured, positions.device)
        )

    def shade(self, rgb: Tensor, normals: Tensor, points: Tensor, view: Tensor, lighting: Lighting) -> Tensor:
        """Lit views get ambient and diffuse light; the others are unchanged."""
        towards = nn.functional.normalize(lighting.positions[view] - points, dim=-1)
        facing = (normals * towards).sum(-1, keepdim=True).clamp(min=0)
        shade = self.settings.ambient + self.settings.diffuse * facing
        surface = torch.where(lighting.textured[view, None], rgb, torch.ones_like(rgb))
        return torch.where(lighting.lit[view, None], surface * shade, rgb)

"""A cloud of Gaussians: the scene of 3D Gaussian Splatting (arXiv 2308.04079), of a fixed number."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from methods.cameras import Cameras
from methods.contracts import Prior, Rendering
from methods.pixels import clamp_finite
from methods.scenes import scenes
from methods.scenes.gaussians.composition import composite
from methods.scenes.gaussians.projection import project
from methods.scenes.gaussians.rotation import rotation_matrix
from methods.scenes.scene import Output, Scene, SceneSettings
from methods.settings import require


@dataclass(frozen=True)
class GaussianRates:
    """Adam's step sizes, by parameter.

    Raises:
        ValueError: If one is not positive.
    """

    means: float = 0.01
    """Step size of the positions, world units."""
    scales: float = 0.02
    """Step size of the logarithms of the standard deviations."""
    rotations: float = 0.02
    """Step size of the quaternions."""
    opacities: float = 0.05
    """Step size of the opacities before the sigmoid (DreamGaussian: 0.05)."""
    colours: float = 0.02
    """Step size of the colours before the sigmoid."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(value > 0, name, value, "a positive number")


@scenes.register("gaussians")
@dataclass(frozen=True)
class Gaussians(SceneSettings):
    """Gaussians with a colour, an opacity, a rotation and three standard deviations each, composited front to back.

    Their number does not change.  Colours are view-independent (spherical harmonics of degree 0).  Everything is
    computed in plain torch, exactly and in the same order each time.

    Raises:
        ValueError: If a setting is out of its range.
    """

    count: int = 2000
    """Number of Gaussians."""
    radius: float = 0.5
    """Radius of the ball that their centres start in, world units (DreamGaussian: 0.5)."""
    size: float = 0.04
    """Standard deviation of a Gaussian before the first step, world units."""
    opacity: float = 0.1
    """Opacity of a Gaussian's centre before the first step (DreamGaussian: 0.1)."""
    learning_rates: GaussianRates = GaussianRates()
    """Adam's step sizes."""

    def __post_init__(self) -> None:
        require(self.count >= 1, "count", self.count, "a positive number of Gaussians")
        require(self.radius > 0, "radius", self.radius, "a positive distance in world units")
        require(self.size > 0, "size", self.size, "a positive distance in world units")
        require(0 < self.opacity < 1, "opacity", self.opacity, "an opacity between 0 and 1")

    def build(self, prior: Prior, generator: torch.Generator) -> GaussianScene:
        """Grey Gaussians in a ball, evenly distributed and without a direction."""

        def draw(kind: Any, *shape: int) -> Tensor:
            drawn: Tensor = kind(shape, generator=generator, device=generator.device)
            return drawn

        outward = torch.nn.functional.normalize(draw(torch.randn, self.count, 3), dim=-1)
        means = self.radius * draw(torch.rand, self.count, 1) ** (1 / 3) * outward
        rotations = torch.nn.functional.normalize(draw(torch.randn, self.count, 4), dim=-1)
        colours = 0.1 * draw(torch.randn, self.count, 3)
        return GaussianScene(self, means, rotations, colours)


class GaussianScene(Scene):
    """The Gaussians.

    Args:
        settings: The scene's settings.
        means: ``(n 3)``, world units.
        rotations: Quaternions ``(n 4)``, real part first, of any length but 0.
        colours: ``(n 3)`` before the sigmoid.
    """

    def __init__(self, settings: Gaussians, means: Tensor, rotations: Tensor, colours: Tensor) -> None:
        super().__init__()
        self.settings = settings
        self.means = nn.Parameter(means)
        self.log_scales = nn.Parameter(torch.full_like(means, settings.size).log())
        self.rotations = nn.Parameter(rotations)
        self.opacity_logits = nn.Parameter(torch.full_like(means[:, 0], settings.opacity).logit())
        self.colour_logits = nn.Parameter(colours)

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
        """Render colours, opacity and depth, and the Gaussians' shortest axes as normals if they are asked for."""
        scales = self.log_scales.exp()
        turns = rotation_matrix(self.rotations)
        axes = turns * scales[:, None]  # (n 3 3), a column each
        ellipses = project(self.means, axes @ axes.mT, cameras, resolution)
        colours = self.colour_logits.sigmoid().expand(len(cameras), -1, -1)
        values = [colours, ellipses.depth[..., None]]
        if "normals" in outputs:
            values.append(self._normals(scales, turns, cameras))
        sums, opacity = composite(ellipses, self.opacity_logits.sigmoid(), torch.cat(values, dim=-1), resolution)
        # from depth along the line of sight to distance along the ray
        rays = cameras.rays(resolution).directions
        sight = torch.nn.functional.normalize(cameras.target - cameras.positions, dim=-1)
        cosine = (rays * sight[:, None, None]).sum(-1)[:, None]
        return Rendering(
            rgb=clamp_finite(sums[:, :3] + (1 - opacity) * background[:, :, None, None]),
            opacity=opacity,
            depth=sums[:, 3:4] / opacity.clamp(min=1e-5) / cosine,
            normals=sums[:, 4:7] if "normals" in outputs else None,
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """A group for each parameter."""
        rates = self.settings.learning_rates
        return [
            {"name": "means", "params": [self.means], "lr": rates.means},
            {"name": "scales", "params": [self.log_scales], "lr": rates.scales},
            {"name": "rotations", "params": [self.rotations], "lr": rates.rotations},
            {"name": "opacities", "params": [self.opacity_logits], "lr": rates.opacities},
            {"name": "colours", "params": [self.colour_logits], "lr": rates.colours},
        ]

    def _normals(self, scales: Tensor, turns: Tensor, cameras: Cameras) -> Tensor:
        """Each Gaussian's shortest axis on the side of each camera, ``(b n 3)``."""
        shortest = scales.argmin(dim=1)[:, None, None].expand(-1, 3, 1)
        axis = turns.gather(2, shortest)[..., 0]
        towards = cameras.positions[:, None] - self.means
        return axis * torch.where((axis * towards).sum(-1, keepdim=True) < 0, -1.0, 1.0)

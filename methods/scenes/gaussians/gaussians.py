"""A cloud of Gaussians: the scene of 3D Gaussian Splatting (arXiv 2308.04079)."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor, nn

from methods.cameras import Cameras
from methods.contracts import Prior, Rendering
from methods.pixels import clamp_finite
from methods.scenes import scenes
from methods.scenes.gaussians.density.density_control import DensityControl
from methods.scenes.gaussians.density.unchanged import Unchanged
from methods.scenes.gaussians.harmonics import HARMONIC_0
from methods.scenes.gaussians.initialisations.ball import Ball
from methods.scenes.gaussians.initialisations.initialisation import Initialisation, Points
from methods.scenes.gaussians.opacity_field import OpacityField
from methods.scenes.gaussians.rasterisers.rasteriser import Cloud, Rasteriser
from methods.scenes.gaussians.rasterisers.torch_tiles import TorchTiles
from methods.scenes.gaussians.rotation import rotation_matrix
from methods.scenes.gaussians.spacing import initial_sizes
from methods.scenes.scene import Output, Scene, SceneSettings
from methods.settings import require

#: Standard deviation of the colours of Gaussians that start grey.
GREY_NOISE = 0.025


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
    """Step size of the colours' spherical harmonics (DreamGaussian: 0.01)."""

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            require(value > 0, name, value, "a positive number")


@scenes.register("gaussians")
@dataclass(frozen=True)
class Gaussians(SceneSettings):
    """Gaussians with a colour, an opacity, a rotation and three standard deviations each, composited front to back.

    Colours are view-independent (spherical harmonics of degree 0).

    Raises:
        ValueError: If a setting is out of its range.
    """

    count: int = 2000
    """Number of Gaussians before the first step."""
    initialisation: Initialisation = Ball()
    """Their centres and colours before the first step."""
    size: float | Literal["neighbours"] = 0.04
    """Standard deviation of a Gaussian before the first step, world units; ``neighbours`` is each one's distance to its
    three nearest neighbours (3D Gaussian Splatting), at most 0.2."""
    opacity: float = 0.1
    """Opacity of a Gaussian's centre before the first step (DreamGaussian: 0.1)."""
    rasteriser: Rasteriser = TorchTiles()
    """The code that draws them; ``torch`` runs everywhere."""
    density: DensityControl = Unchanged()
    """Density control: which Gaussians are moved, added and removed between steps."""
    learning_rates: GaussianRates = GaussianRates()
    """Adam's step sizes."""

    def __post_init__(self) -> None:
        require(self.count >= 1, "count", self.count, "a positive number of Gaussians")
        is_size = self.size == "neighbours" or self.size > 0
        require(is_size, "size", self.size, 'a positive distance in world units or "neighbours"')
        require(0 < self.opacity < 1, "opacity", self.opacity, "an opacity between 0 and 1")

    def build(self, prior: Prior, generator: torch.Generator) -> GaussianScene:
        """Gaussians at the points of the initialisation, without a direction.

        Raises:
            MissingPackageError: If the rasteriser needs a package that is not installed.
        """
        self.rasteriser.require()
        return GaussianScene(self, self.initialisation.points(self.count, generator), generator)


class GaussianScene(Scene):
    """The Gaussians.

    Args:
        settings: The scene's settings.
        points: Their centres and colours.
        generator: Draws the rest.
    """

    means: nn.Parameter  # (n 3), world units
    log_scales: nn.Parameter  # (n 3), logarithms of standard deviations in world units
    rotations: nn.Parameter  # (n 4), quaternions, real part first, of any length but 0
    opacity_logits: nn.Parameter  # (n,), before the sigmoid
    harmonics: nn.Parameter  # (n k 3), coefficients of spherical harmonics

    def __init__(self, settings: Gaussians, points: Points, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        count, device = len(points.positions), generator.device
        turns = torch.randn((count, 4), generator=generator, device=device)
        shades = 0.5 + GREY_NOISE * torch.randn((count, 3), generator=generator, device=device)
        rgb = shades if points.rgb is None else points.rgb
        self.means = nn.Parameter(points.positions)
        self.log_scales = nn.Parameter(initial_sizes(settings.size, points.positions).log()[:, None].repeat(1, 3))
        self.rotations = nn.Parameter(torch.nn.functional.normalize(turns, dim=-1))
        self.opacity_logits = nn.Parameter(torch.full_like(points.positions[:, 0], settings.opacity).logit())
        self.harmonics = nn.Parameter((rgb[:, None] - 0.5) / HARMONIC_0)
        self.controller = settings.density.build(count)
        self._progress = 0.0

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
        sight = torch.nn.functional.normalize(cameras.target - cameras.positions, dim=-1)
        from_camera = self.means - cameras.positions[:, None]  # (b n 3)
        depth = (from_camera * sight[:, None]).sum(-1, keepdim=True)
        colours = (0.5 + HARMONIC_0 * self.harmonics[:, 0]).clamp(min=0).expand(len(cameras), -1, -1)
        values = [colours, depth]
        if "normals" in outputs:
            values.append(self._normals(scales, from_camera))
        cloud = Cloud(self.means, scales, self.rotations, self.opacity_logits.sigmoid())
        drawn = self.settings.rasteriser.draw(cloud, torch.cat(values, dim=-1), cameras, resolution)
        sums, opacity = drawn.sums, drawn.opacity
        if training:
            self.controller.watch(drawn)
        # from depth along the line of sight to distance along the ray
        rays = cameras.rays(resolution).directions
        cosine = (rays * sight[:, None, None]).sum(-1)[:, None]
        return Rendering(
            rgb=clamp_finite(sums[:, :3] + (1 - opacity) * background[:, :, None, None]),
            opacity=opacity,
            depth=sums[:, 3:4] / opacity.clamp(min=1e-5) / cosine,
            normals=sums[:, 4:7] if "normals" in outputs else None,
            diagnostics={"gaussians": float(len(self.means)), **self.controller.diagnostics(len(self.means))},
        )

    def volume(self) -> OpacityField:
        """The sum of the Gaussians' opacities at each point, from which a mesh is extracted."""
        return OpacityField(self)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """A group for each parameter."""
        rates = self.settings.learning_rates
        return [
            {"name": "means", "params": [self.means], "lr": rates.means},
            {"name": "scales", "params": [self.log_scales], "lr": rates.scales},
            {"name": "rotations", "params": [self.rotations], "lr": rates.rotations},
            {"name": "opacities", "params": [self.opacity_logits], "lr": rates.opacities},
            {"name": "colours", "params": [self.harmonics], "lr": rates.colours},
        ]

    def before_step(self, progress: float) -> None:
        """Keep ``progress`` for the density control after the step."""
        self._progress = progress

    def after_step(self, step: int, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> None:
        """Let the density control change the Gaussians."""
        self.controller.after_step(self, step=step, progress=self._progress, optimiser=optimiser, generator=generator)

    def _normals(self, scales: Tensor, from_camera: Tensor) -> Tensor:
        """Each Gaussian's shortest axis on the side of each camera, ``(b n 3)``."""
        shortest = scales.argmin(dim=1)[:, None, None].expand(-1, 3, 1)
        axis = rotation_matrix(self.rotations).gather(2, shortest)[..., 0]
        return axis * torch.where((axis * from_camera).sum(-1, keepdim=True) > 0, -1.0, 1.0)

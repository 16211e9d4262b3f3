"""A cloud of Gaussians: the scene of 3D Gaussian Splatting (arXiv 2308.04079)."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

import torch
from torch import Tensor, nn

from methods.cameras import Cameras
from methods.contracts import Prior, Rendering
from methods.pixels import clamp_finite
from methods.scenes import scenes
from methods.scenes.gaussians.backgrounds import randomise
from methods.scenes.gaussians.density.density_control import DensityControl
from methods.scenes.gaussians.density.unchanged import Unchanged
from methods.scenes.gaussians.harmonics import HARMONIC_0, HIGHER_RATE, MOST_DEGREE, coefficients, colours
from methods.scenes.gaussians.initialisations.ball import Ball
from methods.scenes.gaussians.initialisations.initialisation import Initialisation, Points
from methods.scenes.gaussians.normals import depth_normals, shortest_axes
from methods.scenes.gaussians.opacity_field import OpacityField
from methods.scenes.gaussians.penalties import GaussianPenalties
from methods.scenes.gaussians.rasterisers.rasteriser import Cloud, Rasteriser
from methods.scenes.gaussians.rasterisers.torch_tiles import TorchTiles
from methods.scenes.gaussians.rates import GaussianRates
from methods.scenes.gaussians.spacing import initial_sizes
from methods.scenes.scene import Output, Scene, SceneSettings
from methods.settings import require

#: Standard deviation of the colours of Gaussians that start grey.
GREY_NOISE = 0.025


@scenes.register("gaussians")
@dataclass(frozen=True)
class Gaussians(SceneSettings):
    """Gaussians with a colour, an opacity, a rotation and three standard deviations each, composited front to back.

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
    sh_degree: int = 0
    """Degree of the colours' spherical harmonics, 0 to 3; 0 is a colour that is the same from all sides."""
    normals: Literal["axis", "depth"] = "axis"
    """``axis`` composites each Gaussian's shortest axis, ``depth`` takes the slope of the depth."""
    random_backgrounds: float = 0.0
    """Share of the views of the optimisation whose background is another colour or black (LucidDreamer's
    ``bg_aug_ratio``: 0.66)."""
    learning_rates: GaussianRates = GaussianRates()
    """Adam's step sizes."""
    penalties: GaussianPenalties = GaussianPenalties()
    """Weights of the penalties."""

    def __post_init__(self) -> None:
        require(self.sh_degree in range(MOST_DEGREE + 1), "sh_degree", self.sh_degree, "a degree from 0 to 3")
        require(self.normals in ("axis", "depth"), "normals", self.normals, "'axis' or 'depth'")
        share = self.random_backgrounds
        require(0 <= share <= 1, "random_backgrounds", share, "a share in [0, 1]")
        require(self.count >= 1, "count", self.count, "a positive number of Gaussians")
        is_size = self.size == "neighbours" or self.size > 0
        require(is_size, "size", self.size, 'a positive distance in world units or "neighbours"')
        require(0 < self.opacity < 1, "opacity", self.opacity, "an opacity between 0 and 1")

    def miniature(self, side: int, small: int) -> Self:
        """Fewer and larger Gaussians: as many for a pixel, and of as many pixels."""
        if small >= side:
            return self
        size = self._mean_size() * side / small
        return replace(self, count=math.ceil(self.count * (small / side) ** 2), size=size)

    def kept_bytes(self, side: int, cameras: Cameras) -> float | None:
        """Those of the rasteriser, of the Gaussians before the first step."""
        distance = (cameras.positions - cameras.target).norm(dim=-1)
        pixels = side / (2 * torch.tan(torch.deg2rad(cameras.fovy_deg) / 2) * distance)  # of a world unit
        return self.rasteriser.kept_bytes(self.count, self._mean_size() * float(pixels.mean()), 4, side)

    def _mean_size(self) -> float:
        """Mean standard deviation of a Gaussian before the first step, world units."""
        if self.size != "neighbours":
            return self.size
        points = self.initialisation.points(self.count, torch.Generator().manual_seed(0))
        return float(initial_sizes(self.size, points.positions).mean())

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
        higher = torch.zeros(count, coefficients(settings.sh_degree) - 1, 3, device=device)
        self.harmonics = nn.Parameter(torch.cat([(rgb[:, None] - 0.5) / HARMONIC_0, higher], dim=1))
        self.controller = settings.density.build(count)
        self._progress = 0.0
        self._harmonics_before: Tensor | None = None  # the step, those of degree 1 and more

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
        """Render colours, opacity and depth, and normals if they are asked for."""
        scales = self.log_scales.exp()
        sight = torch.nn.functional.normalize(cameras.target - cameras.positions, dim=-1)
        from_camera = self.means - cameras.positions[:, None]  # (b n 3)
        depth = (from_camera * sight[:, None]).sum(-1, keepdim=True)
        values = [colours(self.harmonics, from_camera), depth]
        if "normals" in outputs and self.settings.normals == "axis":
            values.append(shortest_axes(scales, self.rotations, from_camera))
        cloud = Cloud(self.means, scales, self.rotations, self.opacity_logits.sigmoid())
        drawn = self.settings.rasteriser.draw(cloud, torch.cat(values, dim=-1), cameras, resolution)
        sums, opacity = drawn.sums, drawn.opacity
        if training:
            self.controller.watch(drawn)
        # from depth along the line of sight to distance along the ray
        rays = cameras.rays(resolution)
        cosine = (rays.directions * sight[:, None, None]).sum(-1)[:, None]
        distance = sums[:, 3:4] / opacity.clamp(min=1e-5) / cosine
        normals = None
        if "normals" in outputs:
            from_depth = self.settings.normals == "depth"
            normals = depth_normals(rays, distance, opacity) if from_depth else sums[:, 4:7]
        share = self.settings.random_backgrounds
        if training and generator is not None and share > 0:
            background = randomise(background, share, generator)
        return Rendering(
            rgb=clamp_finite(sums[:, :3] + (1 - opacity) * background[:, :, None, None]),
            opacity=opacity,
            depth=distance,
            normals=normals,
            diagnostics={"gaussians": float(len(self.means)), **self.controller.diagnostics(len(self.means))},
        )

    def volume(self) -> OpacityField:
        """The sum of the Gaussians' opacities at each point, from which a mesh is extracted."""
        return OpacityField(self)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """A group for each parameter."""
        parameters = {
            "means": self.means,
            "scales": self.log_scales,
            "rotations": self.rotations,
            "opacities": self.opacity_logits,
            "colours": self.harmonics,
        }
        rates = self.settings.learning_rates
        return [
            {"name": name, "params": [parameter], "lr": rates.at(name, self._progress)}
            for name, parameter in parameters.items()
        ]

    def regularisation(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name; those whose weight is 0 at this ``progress`` are left out."""
        return self.settings.penalties.weighted(rendering, self.log_scales.exp(), progress)

    def before_step(self, progress: float) -> None:
        """Keep what :meth:`after_step` needs."""
        self._progress = progress
        higher = self.harmonics.detach()[:, 1:]
        self._harmonics_before = higher.clone() if higher.shape[1] else None

    def after_step(self, step: int, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> None:
        """Shorten the step of higher harmonics, let the density control change the Gaussians, and set step sizes.

        The optimiser has one step size for all harmonics, by which Adam's steps are multiplied and nothing else.
        Step sizes are those at the progress of this step, for the next one: the optimiser, and so the checkpoint, has
        them.
        """
        if self._harmonics_before is not None:
            with torch.no_grad():
                self.harmonics[:, 1:] = torch.lerp(self._harmonics_before, self.harmonics[:, 1:], HIGHER_RATE)
        self.controller.after_step(self, step=step, progress=self._progress, optimiser=optimiser, generator=generator)
        self.settings.learning_rates.set_rates(optimiser, self._progress)

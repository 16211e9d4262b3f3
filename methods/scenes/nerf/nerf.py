"""A neural radiance field: the three-dimensional scene of the score-distillation papers."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from methods.cameras import Cameras
from methods.contracts import Prior, Rendering
from methods.pixels import clamp_finite
from methods.scenes import scenes
from methods.scenes.nerf import regularisers
from methods.scenes.nerf.backgrounds.background import Background
from methods.scenes.nerf.backgrounds.given import GivenBackground
from methods.scenes.nerf.blocks import Block, Pixels, cut, render_blocks, samples_in_memory
from methods.scenes.nerf.encodings.dense_grid import DenseGrid
from methods.scenes.nerf.encodings.encoding import Encoding
from methods.scenes.nerf.field import Blob, Field
from methods.scenes.nerf.marching.occupancy import OccupancyMarching
from methods.scenes.nerf.marching.quadrature import accumulate
from methods.scenes.nerf.marching.samples import Marching, Samples
from methods.scenes.nerf.marching.surface import Surface, measure_surface
from methods.scenes.nerf.materials.albedo import Albedo
from methods.scenes.nerf.materials.material import Lighting, Material
from methods.scenes.nerf.normals import NormalSettings, analytic_normals, density_normals
from methods.scenes.nerf.occupancy import OccupancyGrid, OccupancySettings
from methods.scenes.nerf.penalties import PenaltyWeights
from methods.scenes.scene import Output, Scene, SceneSettings
from methods.settings import require
from methods.transfer import to_device

#: The remedies for analytic normals with an encoding that has none.
_ANALYTIC = (
    "possible with this encoding, which has no second derivative: analytic normals work with 'hash_grid', "
    "normals.kind = 'differences' with every encoding"
)


@dataclass(frozen=True)
class LearningRates:
    """Adam's step sizes.

    Raises:
        ValueError: If one is not positive.
    """

    encoding: float = 0.03
    """Step size of the encoding (threestudio: 0.01 for all of the geometry)."""
    network: float = 0.01
    """Step size of the network that reads the encoding."""

    def __post_init__(self) -> None:
        require(self.encoding > 0, "encoding", self.encoding, "a positive number")
        require(self.network > 0, "network", self.network, "a positive number")


@scenes.register("nerf")
@dataclass(frozen=True)
class NeRF(SceneSettings):
    """Density and colour in a ball around the origin, rendered by ray marching.

    Colours are view-independent.  The object should fit in a ball of 0.9 radius.

    Raises:
        ValueError: If a setting is out of its range; the line names it, its value and what would be right.
    """

    encoding: Encoding = DenseGrid()
    """Encoding of space; ``dense_grid`` is the fastest on a CPU."""
    material: Material = Albedo()
    """Material of surfaces: colour with or without light."""
    background: Background = GivenBackground()
    """Colours behind the scene; ``given`` takes those of the study and the evaluation."""
    marching: Marching = OccupancyMarching()
    """Places of the samples along a ray."""
    radius: float = 1.0
    """Radius of the ball that holds the scene, world units."""
    hidden: int = 64
    """Width of the hidden layer behind the encoding."""
    networks: Literal["joint", "separate"] = "joint"
    """``joint`` is one network with biases for density and colour; ``separate`` is one for each, without
    (threestudio's ``implicit-volume``)."""
    blob: Blob = Blob()
    """The density to start with."""
    learning_rates: LearningRates = LearningRates()
    """Adam's step sizes; the background has its own."""
    penalties: PenaltyWeights = PenaltyWeights()
    """Weights of the penalties."""
    occupancy: OccupancySettings = OccupancySettings()
    """The grid of occupied cells."""
    normals: NormalSettings = NormalSettings()
    """Measurement of normals."""
    samples_at_once: int | None = None
    """Samples that are back-propagated at once, which decides the memory of a step and none of its numbers beyond
    rounding; by default as many as fit in an eighth of the device's memory, and in 12 GB."""

    def __post_init__(self) -> None:
        require(self.radius > 0, "radius", self.radius, "a positive number")
        require(self.hidden >= 1, "hidden", self.hidden, "a positive width")
        at_once = self.samples_at_once
        require(at_once is None or at_once >= 1, "samples_at_once", at_once, "a positive number of samples")

    def build(self, prior: Prior, generator: torch.Generator) -> NeRFScene:
        """A field around the blob.

        Raises:
            ValueError: If normals are analytic and the encoding has no second derivative.
            MissingPackageError: If encoding or marching need a package that is not installed.
        """
        return NeRFScene(self, generator)


class NeRFScene(Scene):
    """The field and its parts.

    Args:
        settings: The scene's settings.
        generator: Draws all initial parameters.
    """

    def __init__(self, settings: NeRF, generator: torch.Generator) -> None:
        super().__init__()
        self.settings = settings
        self.bounding_radius = settings.radius
        self.field = Field(
            settings.encoding.build(generator),
            radius=settings.radius,
            hidden=settings.hidden,
            blob=settings.blob,
            generator=generator,
            networks=settings.networks,
        )
        has_slope = settings.normals.kind != "analytic" or self.field.encoding.twice_differentiable
        require(has_slope, "normals.kind", settings.normals.kind, _ANALYTIC)
        self.material = settings.material.build(generator)
        self.background = settings.background.build(generator)
        self.marcher = settings.marching.build(settings.radius)
        self.occupancy = OccupancyGrid(
            settings.occupancy, radius=settings.radius, samples_per_unit=self.marcher.samples_per_unit
        )
        self.occupancy.update(self.field.density, generator)

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
        """Render colours, opacity and depth, and normals if they are asked for or a penalty needs them."""
        rays = cameras.rays(resolution)
        origins, directions = (part.flatten(0, 2) for part in rays)
        jitter = None
        if generator is not None:
            drawn = torch.rand(len(origins), generator=generator, device=generator.device)
            jitter = to_device(drawn, origins.device)
        samples = self.marcher.march(origins, directions, self.occupancy, self.field.density, jitter)
        lighting = self.material.light(cameras, generator, training=training)
        wanted = {name for name in ("orient", "convex", "z_variance") if self._needs(name, training)} | set(outputs)

        def pixels(block: Block) -> Pixels:
            rays = block.rays
            view = torch.arange(rays.start, rays.stop, device=origins.device) // resolution**2
            return self._pixels(samples.of_rays(*block), directions[rays], view, lighting, wanted)

        def image(values: Tensor) -> Tensor:
            return values.view(len(cameras), resolution, resolution, -1).permute(0, 3, 1, 2)

        learned = [*self.field.parameters(), *self.material.parameters()]
        found = {name: image(values) for name, values in render_blocks(pixels, self._cut(samples), learned).items()}
        behind = self.background(rays.directions, background, generator, training=training)
        opacity = found["opacity"]
        return Rendering(
            rgb=clamp_finite(found["rgb"] + (1 - opacity) * behind),  # the sums round past 1
            opacity=opacity.clamp(max=1),
            depth=found["depth"],
            normals=found.get("normals"),
            penalties={name: found[name] for name in ("orient", "z_variance") if name in found},
            diagnostics={"samples_per_ray": len(samples.ray) / len(origins)},
        )

    def _pixels(
        self, samples: Samples, directions: Tensor, view: Tensor, lighting: Lighting | None, wanted: Collection[str]
    ) -> Pixels:
        """The values of rays, without a background.

        Args:
            samples: All samples of the rays.
            directions: ``(r 3)``.
            view: ``(r,)``, the view of each ray, for the light.
            lighting: The light in all views.
            wanted: Outputs, and penalties by name.
        """
        convex, orient = "convex" in wanted, "orient" in wanted
        needs_surface = "normals" in wanted or convex or orient or lighting is not None
        normals = None
        if needs_surface and self.settings.normals.with_the_field:
            (density, rgb), normals = self.field.with_normals(samples.points)
        else:
            density, rgb = self.field(samples.points)
        weight = self.marcher.weights(density, samples)[:, None]
        surface = self._surface(samples, weight, normals) if needs_surface else None
        if lighting is not None and surface is not None:
            scattered = surface.scattered_normals(len(rgb))
            rgb = self.material.shade(rgb, scattered, samples.points, view.index_select(0, samples.ray), lighting)
        seen = torch.cat([rgb, torch.ones_like(weight), samples.distances[:, None]], dim=1)
        rgb, opacity, depth = accumulate(weight * seen, samples).split([3, 1, 1], dim=1)
        depth = depth / opacity.clamp(min=1e-5)
        found = {"rgb": rgb, "opacity": opacity, "depth": depth}
        if surface is not None:
            back_facing = regularisers.back_facing(surface.normals, directions.index_select(0, surface.samples.ray))
            found["orient"] = accumulate(surface.weight.detach() * back_facing, surface.samples)
            if "normals" in wanted or convex:
                found["normals"] = accumulate(surface.weight * surface.normals, surface.samples)
        if "z_variance" in wanted:
            spread = (samples.distances - depth[:, 0].index_select(0, samples.ray)) ** 2
            variance = accumulate(weight * spread[:, None], samples)
            found["z_variance"] = variance / opacity.clamp(min=1e-5)
        return found

    def _cut(self, samples: Samples) -> list[Block]:
        """The rays in blocks of at most ``samples_at_once`` samples."""
        device = samples.points.device
        at_once = self.settings.samples_at_once or samples_in_memory(device, self.field.encoding.backend_on(device))
        rays, _ = samples.shape
        if len(samples.ray) <= at_once:
            return [Block(slice(0, rays), slice(0, len(samples.ray)))]
        return cut(torch.bincount(samples.ray, minlength=rays), at_once)

    def parameter_groups(self) -> list[dict[str, Any]]:
        """Encoding, network and, if it learns, background."""
        rates = self.settings.learning_rates
        groups = [
            {"name": "encoding", "params": list(self.field.encoding.parameters()), "lr": rates.encoding},
            {"name": "network", "params": list(self.field.network.parameters()), "lr": rates.network},
            {"name": "background", "params": list(self.background.parameters()), "lr": self.background.learning_rate},
        ]
        return [group for group in groups if group["params"]]

    def regularisation(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name; those whose weight is 0 at this ``progress`` are left out."""
        return self.settings.penalties.weighted(rendering, progress)

    def before_step(self, progress: float) -> None:
        """Pass ``progress`` on to encoding, material and background."""
        self.field.encoding.before_step(progress)
        self.material.before_step(progress)
        self.background.before_step(progress)

    def after_step(self, step: int, optimiser: torch.optim.Optimizer, generator: torch.Generator) -> None:
        """Update the occupancy grid every ``occupancy.every`` steps."""
        if (step + 1) % self.settings.occupancy.every == 0:
            self.occupancy.update(self.field.density, generator)

    def backends(self) -> dict[str, str]:
        """The backends of encoding and marching, of those that have any."""
        device = self.occupancy.density.device
        found = {
            "encoding": self.field.encoding.backend_on(device),
            "marching": self.settings.marching.backend_on(device),
        }
        return {part: backend for part, backend in found.items() if backend is not None}

    def volume(self) -> Field:
        """The field."""
        return self.field

    def _needs(self, penalty: str, training: bool) -> bool:
        """Whether the render is one that the penalty is computed from."""
        return training and self.settings.penalties.uses(penalty)

    def _surface(self, samples: Samples, weight: Tensor, normals: Tensor | None) -> Surface:
        """The visible samples with their normals, or all of them with the ``normals`` that are known."""
        if normals is not None:
            return Surface(torch.arange(len(normals), device=normals.device), samples, weight, normals)
        settings = self.settings.normals

        def measured(points: Tensor) -> Tensor:
            if settings.kind == "analytic":
                return analytic_normals(self.field.density_logit, points)
            return density_normals(self.field.density_logit, points, settings.step)

        return measure_surface(samples, weight, measured, least_weight=settings.weight)

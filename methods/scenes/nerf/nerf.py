"""A neural radiance field: the three-dimensional scene of the score-distillation papers."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import torch
from torch import Tensor, nn

from methods.cameras import Cameras
from methods.contracts import Rendering
from methods.scenes import scenes
from methods.scenes.nerf import regularisers
from methods.scenes.nerf.backgrounds import backgrounds
from methods.scenes.nerf.encodings import encodings
from methods.scenes.nerf.field import Field
from methods.scenes.nerf.marching.marching import Marching, Samples
from methods.scenes.nerf.marching.nerfacc_marching import NerfaccMarching
from methods.scenes.nerf.marching.occupancy import OccupancyGrid
from methods.scenes.nerf.marching.packed_marching import PackedMarching
from methods.scenes.nerf.marching.quadrature import accumulate
from methods.scenes.nerf.marching.surface import Surface, measure_surface
from methods.scenes.nerf.materials import materials
from methods.scenes.nerf.normals import analytic_normals, density_normals
from methods.scenes.nerf.pacing import Paced
from methods.scenes.nerf.parts import build_part
from methods.scenes.nerf.penalties import Penalties
from methods.scenes.nerf.schedule import Schedule
from methods.scenes.settings import demand


@scenes.register("nerf")
class NeRF(nn.Module):
    """Density and colour in a ball around the origin, rendered by ray marching; implements ``Scene``.

    Colours are view-independent.  The object should fit in a ball of 0.9 radius.

    Args:
        encoding: Registered encoding of space; ``dense_grid`` is the fastest on a CPU.
        encoding_settings: The encoding's own settings.
        material: Registered material: how a surface shows its colour.
        material_settings: The material's own settings.
        background: Registered background; ``given`` is what the study and the evaluation say.
        background_settings: The background's own settings.
        marching: ``packed`` is this project's, on any device; ``nerfacc`` needs that package and a CUDA device.
        radius: Radius of the ball that holds the scene, world units.
        samples: Samples of a ray: over its chord through the ball (``packed``), or over the diagonal of the ball's box
            (``nerfacc``, as threestudio counts them).
        hidden: Width of the hidden layer behind the encoding.
        networks: ``joint`` is one network with biases for density and colour; ``separate`` is one for each, without
            (threestudio's ``implicit-volume``).
        density_blob_scale: Density before the softplus that the blob adds at the origin (threestudio: 10).
        density_blob_std: Where the blob's density crosses zero, world units (threestudio: 0.5).
        learning_rate_encoding: Adam's step size for the encoding (threestudio: 0.01 for all of the geometry).
        learning_rate_network: Adam's step size for the network behind it.
        lambda_orient: Weight of the orientation penalty; where it is not 0, a training render costs about twice.
        lambda_sparsity: Weight of the sparsity penalty.
        lambda_opaque: Weight of the opaqueness penalty.
        lambda_z_variance: Weight of the penalty on the variance of depth along a ray.
        lambda_convex: Weight of the convexity penalty, which costs as much as the orientation penalty.
        occupancy_resolution: Cells along an edge of the occupancy grid (threestudio: 32).
        occupancy_every: Optimiser steps between two updates of the occupancy grid (nerfacc: 16, for longer runs).
        occupancy_decay: Factor on the remembered density at each update (nerfacc: 0.95, for longer runs).
        occupancy_threshold: Opacity of one mean sample under which space counts as empty (nerfacc: 0.01).
        normals: ``differences`` measures normals by finite differences, ``analytic`` by autograd, for an encoding that
            is twice differentiable.
        normal_step: Distance of the finite differences, world units (threestudio: 0.01).
        normal_weight: Samples that show no more than this in their pixel have no normal measured, which costs up to
            four looks at the field (threestudio measures all: 0).
        init: Generator of all initial parameters.

    The lambdas weigh as the study says (``penalties``) and follow a :data:`~methods.scenes.nerf.schedule.Schedule`.

    Raises:
        ValueError: If a setting is out of its range; the line names it, its value and what would be right.
        UnknownNameError: If there is no such encoding, material or background.
    """

    def __init__(
        self,
        *,
        encoding: str = "dense_grid",
        encoding_settings: Mapping[str, Any] = MappingProxyType({}),
        material: str = "albedo",
        material_settings: Mapping[str, Any] = MappingProxyType({}),
        background: str = "given",
        background_settings: Mapping[str, Any] = MappingProxyType({}),
        marching: Literal["packed", "nerfacc"] = "packed",
        radius: float = 1.0,
        samples: int = 48,
        hidden: int = 64,
        networks: Literal["joint", "separate"] = "joint",
        density_blob_scale: float = 10.0,
        density_blob_std: float = 0.5,
        learning_rate_encoding: float = 0.03,
        learning_rate_network: float = 0.01,
        lambda_orient: Schedule = 0.0,
        lambda_sparsity: Schedule = 0.0,
        lambda_opaque: Schedule = 0.0,
        lambda_z_variance: Schedule = 0.0,
        lambda_convex: Schedule = 0.0,
        occupancy_resolution: int = 32,
        occupancy_every: int = 10,
        occupancy_decay: float = 0.7,
        occupancy_threshold: float = 0.01,
        normals: Literal["differences", "analytic"] = "differences",
        normal_step: float = 0.02,
        normal_weight: float = 1e-3,
        init: torch.Generator,
    ) -> None:
        super().__init__()
        positive = {
            "radius": radius,
            "samples": samples,
            "learning_rate_encoding": learning_rate_encoding,
            "learning_rate_network": learning_rate_network,
            "occupancy_every": occupancy_every,
            "normal_step": normal_step,
        }
        for name, value in positive.items():
            demand(value > 0, name, value, "a positive number")
        demand(0 <= normal_weight < 1, "normal_weight", normal_weight, "a share in [0, 1)")
        self.normals, self.normal_step, self.normal_weight = normals, normal_step, normal_weight
        self.occupancy_every = occupancy_every
        self.learning_rates = {"encoding": learning_rate_encoding, "network": learning_rate_network}
        self.penalties = Penalties(
            orient=lambda_orient,
            sparsity=lambda_sparsity,
            opaque=lambda_opaque,
            z_variance=lambda_z_variance,
            convex=lambda_convex,
        )
        self.field = Field(
            build_part(encodings, "encoding_settings", encoding, encoding_settings, init),
            radius=radius,
            hidden=hidden,
            blob_scale=density_blob_scale,
            blob_std=density_blob_std,
            init=init,
            networks=networks,
        )
        has_slope = normals != "analytic" or self.field.encoding.twice_differentiable
        demand(has_slope, "normals", normals, f"for {encoding!r} as it is set, which has no second derivative")
        self.material = build_part(materials, "material_settings", material, material_settings, init)
        self.background = build_part(backgrounds, "background_settings", background, background_settings, init)
        march: type[NerfaccMarching | PackedMarching] = NerfaccMarching if marching == "nerfacc" else PackedMarching
        self.marching: Marching = march(radius=radius, samples=samples)
        self.occupancy = OccupancyGrid(
            resolution=occupancy_resolution,
            radius=radius,
            decay=occupancy_decay,
            threshold=occupancy_threshold * self.marching.samples_per_unit,
        )
        self.occupancy.update(self.field.density, init)

    def render(
        self,
        cameras: Cameras,
        *,
        resolution: int,
        background: Tensor,
        rays: torch.Generator | None = None,
        with_normals: bool = False,
    ) -> Rendering:
        """See :meth:`methods.contracts.Scene.render`."""
        ahead = cameras.rays(resolution)
        origins, directions = (part.flatten(0, 2) for part in ahead)
        samples = self.marching.march(origins, directions, self.occupancy, self.field.density, rays)
        lighting = self.material.light(cameras, rays)
        density, rgb = self.field(samples.points)
        weight = self.marching.weights(density, samples)[:, None]

        def image(values: Tensor) -> Tensor:
            return values.view(len(cameras), resolution, resolution, -1).permute(0, 3, 1, 2)

        convex, orient = self.penalties.may_ask_for("convex"), self.penalties.may_ask_for("orient")
        surface = self._surface(samples, weight) if with_normals or convex or orient or lighting is not None else None
        if lighting is not None and surface is not None:
            view = samples.ray // resolution**2
            rgb = self.material.shade(rgb, surface.scattered_normals(len(rgb)), samples.points, view, lighting)
        seen = torch.cat([rgb, torch.ones_like(weight), samples.distances[:, None]], dim=1)
        pixels = image(accumulate(weight * seen, samples))
        rgb, opacity, depth = pixels[:, :3], pixels[:, 3:4], pixels[:, 4:]
        depth = depth / opacity.clamp(min=1e-5)
        normals, penalties = None, {}
        if surface is not None:
            back_facing = regularisers.back_facing(surface.normals, directions.index_select(0, surface.samples.ray))
            penalties["orient"] = image(accumulate(surface.weight.detach() * back_facing, surface.samples))
            if with_normals or convex:
                normals = image(accumulate(surface.weight * surface.normals, surface.samples))
        if self.penalties.may_ask_for("z_variance"):
            spread = (samples.distances - depth.flatten().index_select(0, samples.ray)) ** 2
            variance = image(accumulate(weight * spread[:, None], samples))
            penalties["z_variance"] = variance / opacity.clamp(min=1e-5)
        behind = self.background(ahead.directions, background, training=rays is not None)
        return Rendering(
            rgb=(rgb + (1 - opacity) * behind).clamp(0, 1),  # the sums round past 1
            opacity=opacity.clamp(max=1),
            depth=depth,
            normals=normals,
            penalties=penalties,
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """See :meth:`methods.contracts.Scene.parameter_groups`."""
        rates = self.learning_rates
        groups = [
            {"name": "encoding", "params": list(self.field.encoding.parameters()), "lr": rates["encoding"]},
            {"name": "network", "params": list(self.field.network.parameters()), "lr": rates["network"]},
            {"name": "background", "params": list(self.background.parameters()), "lr": self.background.learning_rate},
        ]
        return [group for group in groups if group["params"]]

    def regularisation(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name; those whose weight is 0 at this ``progress`` are left out."""
        return self.penalties.weighted(rendering, progress)

    def before_step(self, progress: float) -> None:
        """Tell every part that changes over the optimisation."""
        for part in self.modules():
            if part is not self and isinstance(part, Paced):
                part.before_step(progress)

    def after_step(self, step: int, rays: torch.Generator) -> None:
        """Update the occupancy grid every ``occupancy_every`` steps."""
        if (step + 1) % self.occupancy_every == 0:
            self.occupancy.update(self.field.density, rays)

    def _surface(self, samples: Samples, weight: Tensor) -> Surface:
        """The samples that show, with normals measured as the scene is set."""

        def measured(points: Tensor) -> Tensor:
            if self.normals == "analytic":
                return analytic_normals(self.field.density_logit, points)
            return density_normals(self.field.density_logit, points, self.normal_step)

        return measure_surface(samples, weight, measured, least_weight=self.normal_weight)

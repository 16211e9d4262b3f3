"""A neural radiance field: the three-dimensional scene of the score-distillation papers."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from methods.contracts import Rendering
from methods.scenes import encodings, regularisers, scenes
from methods.scenes.cameras import Cameras
from methods.scenes.encoding import Encoding
from methods.scenes.field import Field
from methods.scenes.marching import Samples, march
from methods.scenes.normals import density_normals
from methods.scenes.occupancy import OccupancyGrid
from methods.scenes.quadrature import accumulate, weights
from methods.scenes.schedule import Schedule, check_schedule, weight_at
from methods.scenes.settings import demand

#: Samples that show less than this in their pixel have no normal measured, which costs four looks at the field.
_WEIGHT_WITH_NORMAL = 1e-3


@scenes.register("nerf")
class NeRF(nn.Module):
    """Density and colour in a ball around the origin, rendered by ray marching; implements ``Scene``.

    Colours are view-independent and unshaded.  The object should fit in a ball of 0.9 radius.

    Args:
        encoding: Registered encoding of space; ``dense_grid`` is the fastest on a CPU.
        encoding_settings: The encoding's own settings.
        radius: Radius of the ball that holds the scene, world units.
        samples: Samples of a ray, over the ray's chord through the ball.
        hidden: Width of the hidden layer behind the encoding.
        density_blob_scale: Density before the softplus that the blob adds at the origin (threestudio: 10).
        density_blob_std: Where the blob's density crosses zero, world units (threestudio: 0.5).
        learning_rate_encoding: Adam's step size for the encoding (threestudio: 0.01 for all of the geometry).
        learning_rate_network: Adam's step size for the network behind it.
        lambda_orient: Weight of the orientation penalty; where it is not 0, a training render costs about twice.
        lambda_sparsity: Weight of the sparsity penalty.
        lambda_opaque: Weight of the opaqueness penalty.
        occupancy_resolution: Cells along an edge of the occupancy grid (threestudio: 32).
        occupancy_every: Optimiser steps between two updates of the occupancy grid (nerfacc: 16, for longer runs).
        occupancy_decay: Factor on the remembered density at each update (nerfacc: 0.95, for longer runs).
        occupancy_threshold: Opacity of one mean sample under which space counts as empty (nerfacc: 0.01).
        normal_step: Distance of the finite differences that measure normals, world units (threestudio: 0.01).
        init: Generator of all initial parameters.

    The lambdas weigh as the study says (``penalties``) and follow a :data:`~methods.scenes.schedule.Schedule`.

    Raises:
        ValueError: If a setting is out of its range; the line names it, its value and what would be right.
        UnknownNameError: If there is no such encoding.
    """

    def __init__(
        self,
        *,
        encoding: str = "dense_grid",
        encoding_settings: Mapping[str, Any] = MappingProxyType({}),
        radius: float = 1.0,
        samples: int = 48,
        hidden: int = 64,
        density_blob_scale: float = 10.0,
        density_blob_std: float = 0.5,
        learning_rate_encoding: float = 0.03,
        learning_rate_network: float = 0.01,
        lambda_orient: Schedule = 0.0,
        lambda_sparsity: Schedule = 0.0,
        lambda_opaque: Schedule = 0.0,
        occupancy_resolution: int = 32,
        occupancy_every: int = 10,
        occupancy_decay: float = 0.7,
        occupancy_threshold: float = 0.01,
        normal_step: float = 0.02,
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
        self.samples, self.normal_step, self.occupancy_every = samples, normal_step, occupancy_every
        self.learning_rates = {"encoding": learning_rate_encoding, "network": learning_rate_network}
        self.lambdas = {"orient": lambda_orient, "sparsity": lambda_sparsity, "opaque": lambda_opaque}
        for name, schedule in self.lambdas.items():
            check_schedule(f"lambda_{name}", schedule)
        self.field = Field(
            _encoding(encoding, encoding_settings, init),
            radius=radius,
            hidden=hidden,
            blob_scale=density_blob_scale,
            blob_std=density_blob_std,
            init=init,
        )
        self.occupancy = OccupancyGrid(
            resolution=occupancy_resolution,
            radius=radius,
            decay=occupancy_decay,
            threshold=occupancy_threshold * samples / (2 * radius),
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
        origins, directions = (part.flatten(0, 2) for part in cameras.rays(resolution))
        samples = march(origins, directions, self.occupancy, strata=self.samples, rays=rays)
        density, rgb = self.field(samples.points)
        weight = weights(density, samples)[:, None]
        seen = torch.cat([rgb, torch.ones_like(weight), samples.distances[:, None]], dim=1)

        def image(values: Tensor) -> Tensor:
            return values.view(len(cameras), resolution, resolution, -1).permute(0, 3, 1, 2)

        pixels = image(accumulate(weight * seen, samples))
        rgb, opacity, depth = pixels[:, :3], pixels[:, 3:4], pixels[:, 4:]
        normals, penalties = None, {}
        if with_normals or self._orients():
            surface, normals, back_facing = self._normals(samples, weight.detach(), directions)
            penalties = {"orient": image(accumulate(back_facing, surface))}
            normals = image(accumulate(normals, surface)) if with_normals else None
        return Rendering(
            rgb=(rgb + (1 - opacity) * background[:, :, None, None]).clamp(0, 1),  # the sums round past 1
            opacity=opacity.clamp(max=1),
            depth=depth / opacity.clamp(min=1e-5),
            normals=normals,
            penalties=penalties,
        )

    def parameter_groups(self) -> list[dict[str, Any]]:
        """See :meth:`methods.contracts.Scene.parameter_groups`."""
        rates = self.learning_rates
        return [
            {"name": "encoding", "params": list(self.field.encoding.parameters()), "lr": rates["encoding"]},
            {"name": "network", "params": list(self.field.network.parameters()), "lr": rates["network"]},
        ]

    def regularisation(self, rendering: Rendering, progress: float) -> dict[str, Tensor]:
        """Weighted penalties by name; those whose weight is 0 at this ``progress`` are left out."""
        penalties = {
            "orient": lambda: regularisers.orientation(rendering.penalties["orient"], rendering.opacity),
            "sparsity": lambda: regularisers.sparsity(rendering.opacity),
            "opaque": lambda: regularisers.opaque(rendering.opacity),
        }
        now = {name: weight_at(schedule, progress) for name, schedule in self.lambdas.items()}
        return {name: weight * penalties[name]() for name, weight in now.items() if weight > 0}

    def after_step(self, step: int, rays: torch.Generator) -> None:
        """Update the occupancy grid every ``occupancy_every`` steps."""
        if (step + 1) % self.occupancy_every == 0:
            self.occupancy.update(self.field.density, rays)

    def _orients(self) -> bool:
        """Whether the render at hand is one that the orientation penalty may be asked of."""
        schedule = self.lambdas["orient"]
        return torch.is_grad_enabled() and any(weight_at(schedule, progress) > 0 for progress in (0.0, 1.0))

    def _normals(self, samples: Samples, weight: Tensor, directions: Tensor) -> tuple[Samples, Tensor, Tensor]:
        """The samples that show, their weighted normals ``(m 3)`` and weighted back-facing ``(m 1)``."""
        shown = (weight[:, 0] > _WEIGHT_WITH_NORMAL).nonzero()[:, 0]
        surface, weight = samples.select(shown), weight.index_select(0, shown)
        normals = density_normals(self.field.density_logit, surface.points, self.normal_step)
        back_facing = regularisers.back_facing(normals, directions.index_select(0, surface.ray))
        return surface, weight * normals, weight * back_facing


def _encoding(name: str, settings: Mapping[str, Any], init: torch.Generator) -> Encoding:
    build = encodings[name]
    try:
        inspect.signature(build).bind(**settings, init=init)
    except TypeError as error:
        raise ValueError(f"encoding_settings: {dict(settings)!r} is not for {name!r}: {error}") from None
    return build(**settings, init=init)

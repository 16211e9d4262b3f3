"""Ray marching through nerfacc's occupancy-grid estimator, on a CUDA device."""

from __future__ import annotations

import importlib
import importlib.util
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from methods.scenes.nerf.marching import marchings
from methods.scenes.nerf.marching.packed import chord
from methods.scenes.nerf.marching.samples import Density, Marching, Samples
from methods.scenes.nerf.occupancy import OccupancyGrid
from methods.settings import MissingPackageError, require
from methods.transfer import to_device

#: Diagonal of a cube of side 1, as threestudio writes it: a ray's samples are as many as a step along it has.
_DIAGONAL = 1.732

#: Opacity below which a step is left out (threestudio's ``prune_alpha_threshold``), and remaining light below which
#: the steps behind are (nerfacc's own default).
_LEAST_OPACITY, _LEAST_LIGHT = 0.01, 1e-4


@marchings.register("nerfacc")
@dataclass(frozen=True)
class NerfaccMarching(Marching):
    """Equal steps through occupied space, without transparent and hidden samples, in nerfacc's kernels.

    This project's :class:`OccupancyGrid` says which cells are occupied: nerfacc's own update draws from torch's global
    generator.  Steps start where the ray enters the ball, as in :class:`PackedMarching`; threestudio's start at the
    camera and reach into the corners of the box.

    Raises:
        ValueError: If ``samples`` is not positive.
    """

    samples: int = 512
    """Steps along the diagonal of the ball's box (threestudio's ``num_samples_per_ray``)."""

    def __post_init__(self) -> None:
        require(self.samples > 0, "samples", self.samples, "a positive number")

    def build(self, radius: float) -> NerfaccMarcher:
        """A marcher through the ball.

        Raises:
            MissingPackageError: If nerfacc is not installed.
        """
        if importlib.util.find_spec("nerfacc") is None:
            raise MissingPackageError(
                "marching: 'nerfacc' needs the package nerfacc (the extra gpu); 'packed' works without it"
            )
        return NerfaccMarcher(self.samples, radius)


class NerfaccMarcher:
    """nerfacc's estimator with this project's occupied cells.

    Args:
        samples: Steps along the diagonal of the ball's box.
        radius: Radius of the ball, world units.
    """

    def __init__(self, samples: int, radius: float) -> None:
        self.radius = radius
        self.samples_per_unit = samples / (2 * _DIAGONAL * radius)
        self.step = 1 / self.samples_per_unit
        self._nerfacc = importlib.import_module("nerfacc")
        self._estimator: Any = None

    @torch.no_grad()
    def march(
        self,
        origins: Tensor,
        directions: Tensor,
        occupancy: OccupancyGrid,
        density: Density,
        generator: torch.Generator | None,
    ) -> Samples:
        """Samples with some opacity that are not hidden.

        Raises:
            RuntimeError: If the rays are not on a CUDA device.
        """
        check_device(origins.device)
        near, far = chord(origins, directions, self.radius)
        if generator is not None:
            near = near + self.step * to_device(
                torch.rand(len(near), generator=generator, device=generator.device), near.device
            )

        def density_between(starts: Tensor, ends: Tensor, ray: Tensor) -> Tensor:
            return density(origins[ray] + directions[ray] * ((starts + ends) / 2)[:, None])

        ray, starts, ends = self._traverser(occupancy).sampling(
            origins,
            directions,
            sigma_fn=density_between,
            t_min=near,
            t_max=far,
            render_step_size=self.step,
            early_stop_eps=_LEAST_LIGHT,
            alpha_thre=_LEAST_OPACITY,
        )
        return packed_samples(origins, directions, ray.long(), starts, ends)

    def weights(self, density: Tensor, samples: Samples) -> Tensor:
        """The weights of volume rendering ``(m,)``, with nerfacc's scans."""
        if len(density) == 0:  # a kernel cannot be launched on nothing
            return density
        depth = density * samples.widths
        packing = self._nerfacc.pack_info(samples.ray, samples.shape[0])
        light: Tensor = torch.exp(-self._nerfacc.exclusive_sum(depth, packing))
        return light * -torch.expm1(-depth)

    def _traverser(self, occupancy: OccupancyGrid) -> Any:
        """The estimator with the cells of ``occupancy``, which stay where they are."""
        if self._estimator is None:
            box = [-self.radius] * 3 + [self.radius] * 3
            self._estimator = self._nerfacc.OccGridEstimator(box, resolution=occupancy.resolution, levels=1)
        self._estimator.to(occupancy.occupied.device)
        self._estimator.binaries = occupancy.occupied[None]
        self._estimator.occs = occupancy.density.flatten() * self.step
        return self._estimator


def check_device(device: torch.device) -> None:
    """Raise ``RuntimeError`` unless ``device`` is one that nerfacc's kernels run on."""
    if device.type != "cuda":
        raise RuntimeError(f"marching = 'nerfacc' needs a CUDA device, and the rays are on {device}")


def packed_samples(origins: Tensor, directions: Tensor, ray: Tensor, starts: Tensor, ends: Tensor) -> Samples:
    """Samples in the middles of intervals.

    Args:
        origins: ``(r 3)``, world units.
        directions: ``(r 3)``, unit length.
        ray: ``(m,)`` int64, ascending: the ray of each interval.
        starts: ``(m,)``, where each begins, ascending in a ray, world units from the origin.
        ends: ``(m,)``, where each ends.
    """
    counts = torch.bincount(ray, minlength=len(origins))
    first = counts.cumsum(0) - counts
    distances = (starts + ends) / 2
    return Samples(
        points=origins[ray] + directions[ray] * distances[:, None],
        ray=ray,
        stratum=torch.arange(len(ray), device=ray.device) - first[ray],
        distances=distances,
        widths=ends - starts,
        shape=(len(origins), int(counts.max()) if len(ray) else 0),
    )

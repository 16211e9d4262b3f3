"""Ray marching in nerfacc's kernels, on a CUDA device."""

from __future__ import annotations

import importlib
import math
from functools import cache, cached_property, partial
from typing import Any

import torch
from torch import Tensor

from methods.scenes.gpu_packages import find_problem, require_package
from methods.scenes.nerf.marching.pruning import LEAST_LIGHT, LEAST_OPACITY
from methods.scenes.nerf.marching.samples import Density, Samples
from methods.scenes.nerf.marching.steps import chord
from methods.scenes.nerf.occupancy import OccupancyGrid

#: Steps that are tried at once; those in occupied space take some hundred bytes each.
STEPS_AT_ONCE = 2**24

#: A density of which any step is opaque, per world unit.
_OPAQUE = 1e10


class NerfaccMarcher:
    """nerfacc's occupancy-grid estimator with this project's occupied cells.

    nerfacc's own update of the cells draws from torch's global generator.

    Args:
        samples_per_unit: Steps of a ray per world unit.
        radius: Radius of the ball, world units.
    """

    def __init__(self, samples_per_unit: float, radius: float) -> None:
        self.radius = radius
        self.samples_per_unit = samples_per_unit
        self.step = 1 / samples_per_unit
        self._estimator: Any = None

    @torch.no_grad()
    def march(
        self,
        origins: Tensor,
        directions: Tensor,
        occupancy: OccupancyGrid,
        density: Density,
        jitter: Tensor | None,
    ) -> Samples:
        """Samples with some opacity that are not hidden.

        Raises:
            RuntimeError: If the rays are not on a CUDA device.
            MissingPackageError: If nerfacc does not work on this machine.
        """
        check_device(origins.device)
        near, far = chord(origins, directions, self.radius)
        near = near if jitter is None else near + self.step * jitter

        traverser = self._traverser(occupancy)
        found = []
        for first in range(0, len(origins), rays := max(1, STEPS_AT_ONCE // math.ceil(2 * self.radius / self.step))):
            some = slice(first, first + rays)
            ray, starts, ends = traverser.sampling(
                origins[some],
                directions[some],
                sigma_fn=partial(_shown_density, density, origins[some], directions[some]),
                t_min=near[some],
                t_max=far[some],
                render_step_size=self.step,
                early_stop_eps=LEAST_LIGHT,
                alpha_thre=LEAST_OPACITY,
            )
            found.append((ray.long() + first, starts, ends))
        ray, starts, ends = map(torch.cat, zip(*found, strict=True))
        return packed_samples(origins, directions, ray, starts, ends)

    def weights(self, density: Tensor, samples: Samples) -> Tensor:
        """The weights of volume rendering ``(m,)``, with nerfacc's scans."""
        if len(density) == 0:  # a kernel cannot be launched on nothing
            return density
        depth = density * samples.widths
        packing = self._nerfacc.pack_info(samples.ray, samples.shape[0])
        light: Tensor = torch.exp(-self._nerfacc.exclusive_sum(depth, packing))
        return light * -torch.expm1(-depth)

    @cached_property
    def _nerfacc(self) -> Any:
        """The module; it is tried first, because that compiles it where no other process can disturb it."""
        require_package("marching.backend", "nerfacc", problem(), "the extra gpu")
        return importlib.import_module("nerfacc")

    def _traverser(self, occupancy: OccupancyGrid) -> Any:
        """The estimator with the cells of ``occupancy``, which stay where they are."""
        if self._estimator is None:
            box = [-self.radius] * 3 + [self.radius] * 3
            self._estimator = self._nerfacc.OccGridEstimator(box, resolution=occupancy.resolution, levels=1)
        self._estimator.to(occupancy.occupied.device)
        self._estimator.binaries = occupancy.occupied[None]
        self._estimator.occs = occupancy.density.flatten() * self.step
        return self._estimator


def _shown_density(
    density: Density, origins: Tensor, directions: Tensor, starts: Tensor, ends: Tensor, ray: Tensor
) -> Tensor:
    """The density in the middles of intervals; a NaN is opaque, since nerfacc leaves it out and it must show."""
    found: Tensor = density(origins[ray] + directions[ray] * ((starts + ends) / 2)[:, None])
    return found.nan_to_num(nan=_OPAQUE)


@cache
def problem() -> str | None:
    """Why nerfacc cannot be used on this machine, as a clause after its name; None if it can."""
    return find_problem("nerfacc", _use, build="nerfacc_cuda")


def _use(nerfacc: Any) -> None:
    ray = torch.zeros(4, dtype=torch.int64, device="cuda")
    nerfacc.exclusive_sum(torch.ones(4, device="cuda"), nerfacc.pack_info(ray, 1))


def check_device(device: torch.device) -> None:
    """Raise ``RuntimeError`` unless ``device`` is one that nerfacc's kernels run on."""
    if device.type != "cuda":
        raise RuntimeError(f"marching.backend = 'nerfacc' needs a CUDA device, and the rays are on {device}")


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

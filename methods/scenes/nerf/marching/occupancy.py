"""Ray marching as threestudio does it, in plain torch or in nerfacc's kernels."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import torch
from torch import Tensor

from methods.scenes.nerf.marching import marchings, nerfacc
from methods.scenes.nerf.marching.samples import Density, Marcher, Marching, Samples
from methods.scenes.nerf.marching.steps import TorchMarcher
from methods.scenes.nerf.occupancy import OccupancyGrid
from methods.settings import MissingPackageError, require

#: Diagonal of a cube of side 1, as threestudio writes it: a ray's samples are as many as a step along it has.
_DIAGONAL = 1.732


@marchings.register("occupancy")
@dataclass(frozen=True)
class OccupancyMarching(Marching):
    """Equal steps through occupied space, without transparent and hidden samples.

    Steps start where the ray enters the ball; threestudio's start at the camera and reach into the corners of the box.
    Both backends make the same samples.

    Raises:
        ValueError: If ``samples`` is not positive.
    """

    samples: int = 84
    """Steps along the diagonal of the ball's box (threestudio's ``num_samples_per_ray``, 512 there)."""
    backend: Literal["auto", "torch", "nerfacc"] = "auto"
    """``nerfacc`` needs that package and a CUDA device, ``torch`` neither; ``auto`` is nerfacc where it works."""

    def __post_init__(self) -> None:
        require(self.samples > 0, "samples", self.samples, "a positive number")

    def backend_on(self, device: torch.device) -> Literal["torch", "nerfacc"]:
        """The backend on ``device``."""
        return best_backend(device) if self.backend == "auto" else self.backend

    def portable(self) -> OccupancyMarching:
        """The same samples from the best backend that a machine has."""
        return replace(self, backend="auto") if self.backend == "nerfacc" else self

    def build(self, radius: float) -> Marcher:
        """A marcher through the ball.

        Raises:
            MissingPackageError: If the backend is nerfacc, and that is not installed.
        """
        samples_per_unit = self.samples / (2 * _DIAGONAL * radius)
        if self.backend == "torch":
            return TorchMarcher(samples_per_unit, radius)
        if self.backend == "auto":
            return AutoMarcher(samples_per_unit, radius)
        if importlib.util.find_spec("nerfacc") is None:
            raise MissingPackageError(
                "marching.backend: 'nerfacc' needs the package nerfacc (the extra gpu); 'torch' works without it"
            )
        return nerfacc.NerfaccMarcher(samples_per_unit, radius)


def best_backend(device: torch.device) -> Literal["torch", "nerfacc"]:
    """The fastest backend that works on ``device``."""
    return "nerfacc" if device.type == "cuda" and nerfacc.problem() is None else "torch"


class AutoMarcher:
    """The best marcher for the device that the rays are on.

    Args:
        samples_per_unit: Steps of a ray per world unit.
        radius: Radius of the ball, world units.
    """

    def __init__(self, samples_per_unit: float, radius: float) -> None:
        self.samples_per_unit, self.radius = samples_per_unit, radius
        self._torch = TorchMarcher(samples_per_unit, radius)

    def march(
        self,
        origins: Tensor,
        directions: Tensor,
        occupancy: OccupancyGrid,
        density: Density,
        jitter: Tensor | None,
    ) -> Samples:
        """The samples of the marcher for ``origins.device``."""
        return self._on(origins.device).march(origins, directions, occupancy, density, jitter)

    def weights(self, density: Tensor, samples: Samples) -> Tensor:
        """The weights ``(m,)`` of the marcher for ``density.device``."""
        return self._on(density.device).weights(density, samples)

    def _on(self, device: torch.device) -> Marcher:
        return self._nerfacc if best_backend(device) == "nerfacc" else self._torch

    @cached_property
    def _nerfacc(self) -> Marcher:
        return nerfacc.NerfaccMarcher(self.samples_per_unit, self.radius)

"""The hash grid through the fused kernels of tiny-cuda-nn."""

from __future__ import annotations

import importlib
import importlib.util
import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from methods.scenes.nerf.encodings import encodings
from methods.scenes.nerf.encodings.encoding import Encoding
from methods.scenes.nerf.encodings.hash_grid import HashGrid, HashGridModule
from methods.settings import MissingPackageError, require


@encodings.register("tcnn_hash_grid")
@dataclass(frozen=True)
class TcnnHashGrid(Encoding):
    """A hash grid in tiny-cuda-nn's layout whose points on a CUDA device are read by ``tinycudann``.

    The table is this project's, in float32 and drawn from the scene's generator, so that a scene does not depend on
    the library's own seed; points on the CPU are read in plain torch, and a scene saved here can be loaded with the
    encoding ``hash_grid`` and ``layout = "tiny_cuda_nn"``.  The library's grids have second derivatives (its networks
    have none: NVlabs/tiny-cuda-nn#58), so normals may be analytic.  The defaults are those of threestudio's
    ``sdi.yaml``.

    Raises:
        ValueError: If a setting is out of its range.
    """

    levels: int = 16
    """Grids (L)."""
    features_per_level: int = 2
    """Features of a row (F): 1, 2, 4 or 8, which the library has kernels for."""
    log2_table_size: int = 19
    """Binary logarithm of the most rows of a level (T)."""
    base_resolution: int = 16
    """Corners along an edge of the coarsest grid (N_min)."""
    finest_resolution: int = 4096
    """Corners along an edge of the finest grid (N_max); the growth of a level is (N_max / N_min)^(1 / (L − 1)), for
    the defaults ``per_level_scale`` 1.447269237440378."""
    initial_bound: float = 1e-4
    """Features start uniform in [-bound, bound]."""

    def __post_init__(self) -> None:
        right = self.features_per_level in (1, 2, 4, 8)
        require(right, "features_per_level", self.features_per_level, "1, 2, 4 or 8")
        self.as_hash_grid()

    def as_hash_grid(self) -> HashGrid:
        """The same grid read in plain torch."""
        return HashGrid(
            self.levels,
            self.features_per_level,
            self.log2_table_size,
            self.base_resolution,
            self.finest_resolution,
            self.initial_bound,
            layout="tiny_cuda_nn",
        )

    def build(self, generator: torch.Generator) -> TcnnHashGridModule:
        """A table of random features.

        Raises:
            MissingPackageError: If ``tinycudann`` is not installed.
        """
        if importlib.util.find_spec("tinycudann") is None:
            raise MissingPackageError(
                "encoding: 'tcnn_hash_grid' needs tinycudann, built from git+https://github.com/NVlabs/tiny-cuda-nn"
                '#subdirectory=bindings/torch; { name = "hash_grid", layout = "tiny_cuda_nn", … } is the same grid in '
                "plain torch, which is slower and also has analytic normals (without compiled = true)"
            )
        return TcnnHashGridModule(self.as_hash_grid(), generator)


class TcnnHashGridModule(HashGridModule):
    """The table, read by the library on a CUDA device."""

    def __init__(self, settings: HashGrid, generator: torch.Generator) -> None:
        super().__init__(settings, generator)
        self.library_settings = {
            "otype": "Grid",
            "type": "Hash",
            "n_levels": settings.levels,
            "n_features_per_level": settings.features_per_level,
            "log2_hashmap_size": settings.log2_table_size,
            "base_resolution": settings.base_resolution,
            "per_level_scale": settings.growth,
            "interpolation": "Linear",
        }

    def forward(self, points: Tensor) -> Tensor:
        """Points ``(n 3)`` of the unit cube to features ``(n features)``."""
        if not points.is_cuda or len(points) == 0:
            return self.read(points)
        parameters = {"params": self.table.flatten()}
        features: Tensor = torch.func.functional_call(self._fused[0], parameters, (points.clamp(0, 1),))
        return features

    @cached_property
    def _fused(self) -> tuple[Any]:
        """The library's module, in a tuple so that torch does not count its parameters among this module's."""
        library = importlib.import_module("tinycudann")
        with torch.cuda.device(self.table.device):
            fused = library.Encoding(3, self.library_settings, dtype=torch.float32)
        found, expected = math.prod(fused.params.shape), self.table.numel()
        if found != expected:
            raise RuntimeError(f"tinycudann has {found} features for these settings, and its layout {expected}")
        return (fused,)

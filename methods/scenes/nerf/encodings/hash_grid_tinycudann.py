"""The hash grid through the fused kernels of tiny-cuda-nn."""

from __future__ import annotations

import importlib
import math
from functools import cache
from typing import Any

import torch
from torch import Tensor

from methods.scenes.gpu_packages import find_problem, require_package


class FusedReading:
    """The library's reading of a table in its layout.

    The table is this project's, in float32, so that a scene does not depend on the library's own seed.  The library's
    grids have second derivatives (its networks have none: NVlabs/tiny-cuda-nn#58), so normals may be analytic.

    Args:
        levels: Grids.
        features_per_level: Features of a row.
        log2_table_size: Binary logarithm of the most rows of a level.
        base_resolution: Corners along an edge of the coarsest grid.
        growth: Factor from the resolution of a level to that of the next.
    """

    def __init__(
        self, *, levels: int, features_per_level: int, log2_table_size: int, base_resolution: int, growth: float
    ) -> None:
        self.settings = {
            "otype": "Grid",
            "type": "Hash",
            "n_levels": levels,
            "n_features_per_level": features_per_level,
            "log2_hashmap_size": log2_table_size,
            "base_resolution": base_resolution,
            "per_level_scale": growth,
            "interpolation": "Linear",
        }
        self._module: Any = None

    def __call__(self, points: Tensor, table: Tensor) -> Tensor:
        """The features ``(n levels·f)`` of the table ``(rows f)`` at one or more points ``(n 3)`` on a CUDA device.

        Raises:
            RuntimeError: If the library's layout has another number of features than ``table``.
            MissingPackageError: If the library does not work on this machine.
        """
        if self._module is None:
            self._module = self._build(table)
        given = {"params": table.flatten()}
        features: Tensor = torch.func.functional_call(self._module, given, (points.clamp(0, 1),))
        return features

    def _build(self, table: Tensor) -> Any:
        require_package("encoding.backend", "tinycudann", problem())
        library = importlib.import_module("tinycudann")
        with torch.cuda.device(table.device):
            module = library.Encoding(3, self.settings, dtype=torch.float32)
        found, expected = math.prod(module.params.shape), table.numel()
        if found != expected:
            raise RuntimeError(f"tinycudann has {found} features for these settings, and its layout {expected}")
        return module


@cache
def problem() -> str | None:
    """Why tiny-cuda-nn cannot be used on this machine, as a clause after its name; None if it can."""
    return find_problem("tinycudann", _use)


def _use(library: Any) -> None:
    grid = library.Encoding(3, {"otype": "Grid", "type": "Hash", "n_levels": 2}, dtype=torch.float32)
    grid(torch.zeros(128, 3, device="cuda"))

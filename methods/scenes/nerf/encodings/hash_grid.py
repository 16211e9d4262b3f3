"""The multi-resolution hash grid of Instant-NGP (arXiv 2201.05989, section 3), in plain torch or fused kernels."""

from __future__ import annotations

import importlib.util
import math
from dataclasses import dataclass, replace
from typing import Literal, get_args

import torch
from torch import Tensor, nn

from methods.scenes.gpu_packages import require_package
from methods.scenes.nerf.encodings import encodings, hash_grid_triton
from methods.scenes.nerf.encodings.encoding import Encoding, EncodingModule
from methods.scenes.nerf.encodings.hash_grid_tinycudann import FusedReading
from methods.scenes.nerf.encodings.hash_grid_triton import Levels
from methods.settings import MissingPackageError, require

#: Readers of the table.
Backend = Literal["triton", "torch", "tinycudann"]
#: Commands that install the backends that are packages.
INSTALL = {
    "triton": "pip install triton",
    "tinycudann": "pip install --no-build-isolation git+https://github.com/NVlabs/tiny-cuda-nn#subdirectory=bindings/torch",
}

#: π_1, π_2, π_3 of eq. 4.
_PRIMES = (1, 2_654_435_761, 805_459_861)


@encodings.register("hash_grid")
@dataclass(frozen=True)
class HashGrid(Encoding):
    """Features on the corners of grids of growing resolution; fine grids share the rows of a table by hashing.

    A level whose corners all fit in the table is indexed one to one, as in the paper.  The defaults are far below the
    paper's (16 levels, 2^19 rows, to 2048 cells and more), for images of up to about 128 pixels and for a CPU.

    Raises:
        ValueError: If a setting is out of its range.
    """

    levels: int = 8
    """Grids (L)."""
    features_per_level: int = 2
    """Features of a row (F)."""
    log2_table_size: int = 16
    """Binary logarithm of the most rows of a level (T)."""
    base_resolution: int = 8
    """Cells along an edge of the coarsest grid (N_min)."""
    finest_resolution: int = 128
    """Cells along an edge of the finest grid (N_max)."""
    initial_bound: float = 1e-4
    """Features start uniform in [-bound, bound] (the paper: 1e-4)."""
    layout: Literal["paper", "tiny_cuda_nn"] = "paper"
    """``paper`` has corners on both faces of the cube; ``tiny_cuda_nn`` counts and places corners and rows as that
    library does (levels of N_l corners, staggered by half a cell), so that its tables can be read."""
    backend: Literal["auto", Backend] = "auto"
    """Reader of the table on a CUDA device: this project's kernels (``triton``), tiny-cuda-nn's (``tinycudann``), or
    plain ``torch``, whose field with analytic normals keeps 7.9 kB per sample for the backward pass at the paper's 16
    levels where Triton's keeps 1.5 kB; ``auto`` is triton where that works, else torch.  Table, features and gradients
    are the same.  On other devices the reader is plain torch."""

    def __post_init__(self) -> None:
        require(self.levels >= 1, "levels", self.levels, "a positive number of grids")
        require(self.features_per_level >= 1, "features_per_level", self.features_per_level, "a positive number")
        require(0 <= self.log2_table_size <= 24, "log2_table_size", self.log2_table_size, "an exponent from 0 to 24")
        require(self.base_resolution >= 1, "base_resolution", self.base_resolution, "a positive number of cells")
        finer = self.finest_resolution >= self.base_resolution
        right = f"at least base_resolution = {self.base_resolution}"
        require(finer, "finest_resolution", self.finest_resolution, right)
        require(self.initial_bound > 0, "initial_bound", self.initial_bound, "a positive bound")
        require(self.layout in ("paper", "tiny_cuda_nn"), "layout", self.layout, "'paper' or 'tiny_cuda_nn'")
        backends = ("auto", *get_args(Backend))
        require(self.backend in backends, "backend", self.backend, f"one of {', '.join(backends)}")
        if self.backend == "tinycudann":
            only = "which backend = 'tinycudann' needs"
            require(self.layout == "tiny_cuda_nn", "layout", self.layout, f"'tiny_cuda_nn', {only}")
            has_kernel = self.features_per_level in (1, 2, 4, 8)
            require(has_kernel, "features_per_level", self.features_per_level, f"1, 2, 4 or 8, {only}")

    @property
    def growth(self) -> float:
        """Factor b from the resolution of a level to that of the next (eq. 3)."""
        return float((self.finest_resolution / self.base_resolution) ** (1 / max(self.levels - 1, 1)))

    def portable(self) -> HashGrid:
        """The same table with the best reader that a machine has."""
        return replace(self, backend="auto") if self.backend in INSTALL else self

    def build(self, generator: torch.Generator) -> HashGridModule:
        """A table of random features.

        Raises:
            MissingPackageError: If the backend is a package that is not installed.
        """
        if self.backend in INSTALL and importlib.util.find_spec(self.backend) is None:
            raise MissingPackageError(
                f"encoding.backend: {self.backend!r} needs the package {self.backend} ({INSTALL[self.backend]}); "
                "'auto' takes the best that works"
            )
        return HashGridModule(self, generator)


class HashGridModule(EncodingModule):
    """The table ``(rows features)`` of all levels."""

    twice_differentiable = True
    points_at_once = 2**19  # plain torch takes 2.5 kB for one at the paper's 16 levels
    _steps: Tensor  # (levels 3 1 1), factor of each axis' index before the axes are combined
    _starts: Tensor  # (levels 1 1 1 1), the first row of each level
    _cells: Tensor  # (levels 1 1), int64, or float32 in tiny-cuda-nn's layout
    _rows: Tensor  # (levels 1 1 1 1), rows of each level

    def __init__(self, settings: HashGrid, generator: torch.Generator) -> None:
        super().__init__()
        levels, base, growth = settings.levels, settings.base_resolution, settings.growth
        self.backend, self.staggered = settings.backend, settings.layout == "tiny_cuda_nn"
        self.fused_reading = FusedReading(
            levels=levels,
            features_per_level=settings.features_per_level,
            log2_table_size=settings.log2_table_size,
            base_resolution=base,
            growth=growth,
        )
        self.features = levels * settings.features_per_level
        self.table_size = 2**settings.log2_table_size
        cells: list[int] | list[float]
        if self.staggered:
            cells = [base * growth**level - 1 for level in range(levels)]
            sides = [math.ceil(length - 1e-6) + 1 for length in cells]
            rows = [min(-(-(side**3) // 8) * 8, self.table_size) for side in sides]
        else:
            # N_l of eq. 2; the small addend keeps the last from falling to N_max - 1 by rounding.
            cells = [int(base * growth**level + 1e-6) for level in range(levels)]
            sides = [length + 1 for length in cells]
            rows = [min(side**3, self.table_size) for side in sides]
        self.cells = cells
        self._sizes = tuple(rows)
        self.direct_levels = sum(side**3 <= self.table_size for side in sides)
        shape = (sum(rows), settings.features_per_level)
        uniform = 2 * torch.rand(shape, generator=generator, device=generator.device) - 1
        self.table = nn.Parameter(settings.initial_bound * uniform)
        steps = [(1, side, side**2) for side in sides[: self.direct_levels]]
        steps += [_PRIMES] * (levels - self.direct_levels)
        self.register_buffer("_steps", torch.tensor(steps)[:, :, None, None], persistent=False)
        self.register_buffer("_starts", torch.tensor([0, *rows[:-1]]).cumsum(0).view(-1, 1, 1, 1, 1), persistent=False)
        self.register_buffer("_rows", torch.tensor(rows).view(-1, 1, 1, 1, 1), persistent=False)
        self.register_buffer("_cells", torch.tensor(self.cells)[:, None, None], persistent=False)

    def forward(self, points: Tensor) -> Tensor:
        """Points ``(n 3)`` of the unit cube to features ``(n features)``."""
        backend = self.backend_on(points.device)
        if backend == "triton":
            places = (self._steps, self._starts, self._rows, self._cells)
            levels = Levels(*places, self._sizes, self.direct_levels, self.staggered)
            return hash_grid_triton.read(points, self.table, levels)
        if backend == "tinycudann" and len(points) > 0:  # its kernels cannot be launched on nothing
            return self.fused_reading(points, self.table)
        return self.read(points)

    def backend_on(self, device: torch.device) -> Backend:
        """The reader of points on ``device``.

        Raises:
            MissingPackageError: If the backend is triton, and that does not work on this machine.
        """
        if self.backend == "auto":
            return "triton" if device.type == "cuda" and hash_grid_triton.problem() is None else "torch"
        if self.backend == "triton":
            if device.type == "cuda":
                require_package("encoding.backend", "triton", hash_grid_triton.problem())
            return "triton" if hash_grid_triton.runs_on(device) else "torch"
        return self.backend if device.type == "cuda" else "torch"

    def read(self, points: Tensor) -> Tensor:
        """The features of :meth:`forward`, in plain torch."""
        rows, shares = self._corners(points)
        read = self.table.index_select(0, rows.flatten()) * shares.reshape(-1, 1)
        summed = read.view(len(self.cells), 8, len(points), self.table.shape[1]).sum(1)  # (levels n f)
        return summed.transpose(0, 1).flatten(1)

    def _corners(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """The table rows of the corners around each point and their trilinear shares, each ``(levels 2 2 2 n)``.

        The shares have a gradient in the points, for normals by autograd.
        """
        scaled = points.T.clamp(0, 1) * self._cells  # (levels 3 n)
        if self.staggered:
            scaled = scaled + 0.5
            lower = scaled.detach().floor()
        else:
            lower = torch.minimum(scaled.detach().floor(), self._cells - 1)
        fraction = scaled - lower
        x, y, z = _outer(torch.stack([1 - fraction, fraction], dim=2))
        shares = x * y * z
        terms = (lower.long()[:, :, None] + torch.arange(2, device=points.device)[:, None]) * self._steps
        direct = [axis[: self.direct_levels] for axis in _outer(terms)]
        hashed = [axis[self.direct_levels :] for axis in _outer(terms)]
        one_to_one = direct[0] + direct[1] + direct[2]
        if self.staggered:  # the half cell reaches one corner past the last
            one_to_one = one_to_one % self._rows[: self.direct_levels]
        rows = torch.cat(
            [one_to_one, (hashed[0] ^ hashed[1] ^ hashed[2]) & (self.table_size - 1)]  # eq. 4; T is a power of two
        )
        return rows + self._starts, shares


def _outer(axes: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """``(levels 3 2 n)`` to one tensor per axis that broadcasts with the others to ``(levels 2 2 2 n)``."""
    x, y, z = axes.unbind(1)
    return x[:, :, None, None], y[:, None, :, None], z[:, None, None, :]

"""The hash grid through this project's own Triton kernels, which are compiled on first use."""

from __future__ import annotations

import importlib
import os
from contextlib import nullcontext
from functools import cache
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from methods.scenes.gpu_packages import find_problem
from methods.transfer import to_device

#: Points of a program.
_BLOCK = 128

#: Rows that a coarse level's gradient is spread over, and the most copies of a level.  On an H200 the gradient of 1.8
#: million samples of table 1's scene takes 2.8 ms with these, 3.3 with 2^18 rows and 7.7 without copies, of which level
#: 0 alone takes 2.9.
_SPREAD_ROWS, _MOST_COPIES = 2**20, 64


class Levels(NamedTuple):
    """The places of the corners of each level in the table."""

    steps: Tensor  # (levels 3 …) int64, factor of each axis' index
    starts: Tensor  # (levels …) int64, first row
    rows: Tensor  # (levels …) int64, number of rows
    cells: Tensor  # (levels …), cells along an edge
    sizes: tuple[int, ...]  # number of rows of each level, on the host
    direct: int  # levels that are indexed one to one; those after them are hashed
    staggered: bool  # whether corners are moved by half a cell


def read(points: Tensor, table: Tensor, levels: Levels) -> Tensor:
    """The features ``(n levels·f)`` at points of the unit cube, which have a gradient and analytic normals.

    Args:
        points: ``(n 3)`` float32.
        table: ``(rows f)`` float32.
        levels: Where the levels are in the table.
    """
    # Two nodes, because autograd would compute both of one node's gradients where normals need that at the points only.
    features: Tensor = _Read.apply(points.detach(), table, levels)
    return _WithSlope.apply(features, points, table, levels) if points.requires_grad else features


def runs_on(device: torch.device) -> bool:
    """Whether kernels run on tensors of ``device``: on a GPU, and where ``TRITON_INTERPRET=1`` on a CPU, slowly."""
    return device.type == "cuda" or os.environ.get("TRITON_INTERPRET") == "1"


@cache
def problem() -> str | None:
    """Why Triton cannot be used on this machine, as a clause after its name; None if it can."""
    return find_problem("triton", _use)


@torch.enable_grad()  # the first density of a march is read without
def _use(triton: Any, device: str = "cuda") -> None:
    """Run every kernel at the middle of one cell, whose upper x corners hold 1 and whose lower ones hold 0."""
    steps, starts, rows, cells = (torch.tensor(values, device=device) for values in ([[1, 2, 4]], [0], [8], [1]))
    table = torch.tensor([[0.0], [1.0]] * 4, device=device, requires_grad=True)
    points = torch.full((1, 3), 0.5, device=device, requires_grad=True)
    features = read(points, table, Levels(steps, starts, rows, cells, (8,), 1, staggered=False))
    (slope,) = torch.autograd.grad(features.sum(), points, create_graph=True)
    (of_table,) = torch.autograd.grad(features.sum() + slope[0, 0], table)
    found = [*features.flatten().tolist(), *slope.flatten().tolist(), *of_table.flatten().tolist()]
    # a share of 1/8 each, and a slope of it in x of 1/4 up and down
    if found != [0.5, 1.0, 0.0, 0.0, *[-0.125, 0.375] * 4]:
        raise ValueError(f"its kernels compute {found}")


class _Read(torch.autograd.Function):
    """Points and table to features, with a gradient in the table."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, levels: Levels) -> Tensor:
        ctx.save_for_backward(points)
        ctx.levels, ctx.shape = levels, table.shape
        features = table.new_empty(len(points), len(levels.rows) * table.shape[1])
        _launch("read", points, table.shape[1], levels, table.contiguous(), out=(features,))
        return features

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        (points,) = ctx.saved_tensors
        of_table = _SpreadTable(ctx.shape[1], ctx.levels, gradient)
        given = (gradient.contiguous(),)
        _launch("scatter", points, ctx.shape[1], ctx.levels, *given, out=(*of_table.places, of_table.values))
        return None, of_table.total(), None


class _WithSlope(torch.autograd.Function):
    """Features as they are, with a gradient in the points that they were read at."""

    @staticmethod
    def forward(ctx: Any, features: Tensor, points: Tensor, table: Tensor, levels: Levels) -> Tensor:
        ctx.save_for_backward(points, table)
        ctx.levels = levels
        return features.view_as(features)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        points, table = ctx.saved_tensors
        return gradient, _Slope.apply(points, table, gradient, ctx.levels), None, None


class _Slope(torch.autograd.Function):
    """Points, table and the gradient of the features to the gradient at the points ``(n 3)``."""

    @staticmethod
    def forward(ctx: Any, points: Tensor, table: Tensor, gradient: Tensor, levels: Levels) -> Tensor:
        ctx.save_for_backward(points, table, gradient)
        ctx.levels = levels
        slopes = points.new_empty(len(levels.rows), len(points), 3)
        given = (table.contiguous(), gradient.contiguous())
        _launch("slope", points, table.shape[1], levels, *given, out=(slopes,))
        return slopes.sum(0)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, pulls: Tensor) -> tuple[Tensor | None, ...]:
        points, table, gradient = ctx.saved_tensors
        of_table = _SpreadTable(table.shape[1], ctx.levels, table)
        of_gradient = gradient.new_empty(gradient.shape)  # contiguous
        slopes = points.new_empty(len(ctx.levels.rows), len(points), 3)
        given = (table.contiguous(), gradient.contiguous(), pulls.contiguous())
        out = (*of_table.places, of_table.values, of_gradient, slopes)
        _launch("slope_backward", points, table.shape[1], ctx.levels, *given, out=out)
        return slopes.sum(0), of_table.total(), of_gradient, None


class _SpreadTable:
    """The gradient of a table, whose coarse levels are summed in several copies.

    Args:
        width: Features of a row.
        levels: Where the levels are.
        like: A tensor on the device.
    """

    def __init__(self, width: int, levels: Levels, like: Tensor) -> None:
        self._sizes = levels.sizes
        self._copies = [min(_MOST_COPIES, max(1, _SPREAD_ROWS // size)) for size in self._sizes]
        spare = [(copies - 1) * size for copies, size in zip(self._copies, self._sizes, strict=True)]
        self._parts = [sum(self._sizes), *spare]
        self.places = _places(tuple(self._parts), tuple(self._copies), like.device)
        self.values = like.new_zeros(sum(self._parts), width)

    def total(self) -> Tensor:
        """The gradient ``(rows f)``, the copies added up."""
        table, *spares = self.values.split(self._parts)
        for level, spare, copies in zip(table.split(self._sizes), spares, self._copies, strict=True):
            if copies > 1:
                level.add_(spare.view(copies - 1, *level.shape).sum(0))
        return table


@cache
def _places(parts: tuple[int, ...], copies: tuple[int, ...], device: torch.device) -> tuple[Tensor, ...]:
    """The first row of each level's further copies, and the number of all copies."""
    first = torch.tensor(parts).cumsum(0)[:-1]
    return to_device(torch.stack([first, torch.tensor(copies)]), device).unbind()


def _launch(name: str, points: Tensor, width: int, levels: Levels, *given: Tensor, out: tuple[Tensor, ...]) -> None:
    """Run a kernel of ``kernels/hash_grid.py`` on all points and levels."""
    count, number = len(points), len(levels.rows)
    if count == 0:  # a kernel cannot be launched on nothing
        return
    kernel = getattr(importlib.import_module("methods.scenes.nerf.kernels.hash_grid"), name)
    with torch.cuda.device(points.device) if points.is_cuda else nullcontext():
        kernel[-(-count // _BLOCK), number](
            points.contiguous(), *given, *levels[:4], *out, count, number, levels.direct,
            WIDTH=width, WIDE=1 << (width - 1).bit_length(), STAGGERED=levels.staggered, BLOCK=_BLOCK,
            enable_fp_fusion=False,
        )  # fmt: skip

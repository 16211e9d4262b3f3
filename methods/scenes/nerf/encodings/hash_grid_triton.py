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

from methods.scenes.nerf.gpu_packages import find_problem

#: Points of a program.
_BLOCK = 128


class Levels(NamedTuple):
    """The places of the corners of each level in the table."""

    steps: Tensor  # (levels 3 …) int64, factor of each axis' index
    starts: Tensor  # (levels …) int64, first row
    rows: Tensor  # (levels …) int64, number of rows
    cells: Tensor  # (levels …), cells along an edge
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
    features = read(points, table, Levels(steps, starts, rows, cells, 1, staggered=False))
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
        of_table = gradient.new_zeros(ctx.shape)
        _launch("scatter", points, ctx.shape[1], ctx.levels, gradient.contiguous(), out=(of_table,))
        return None, of_table, None


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
        of_table, of_gradient = table.new_zeros(table.shape), gradient.new_empty(gradient.shape)  # contiguous
        slopes = points.new_empty(len(ctx.levels.rows), len(points), 3)
        given = (table.contiguous(), gradient.contiguous(), pulls.contiguous())
        _launch("slope_backward", points, table.shape[1], ctx.levels, *given, out=(of_table, of_gradient, slopes))
        return slopes.sum(0), of_table, of_gradient, None


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

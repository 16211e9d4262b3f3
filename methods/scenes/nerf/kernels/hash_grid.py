"""The reading of a multi-resolution hash grid, its first derivatives, and the second one that analytic normals need.

A program reads a block of points at one level; programs of one level follow one another, so that its rows stay in the
cache.  All kernels share these arguments:

- ``points``: ``(count 3)`` float32, in the unit cube; those outside read the nearest face.
- ``table``: ``(rows of all levels, WIDTH)`` float32.
- ``levels``: their number.  Of each are given its first row (``starts``), how many it has (``rows``), its cells along
  an edge (``cells``), and the factor of each axis' index (``steps``, ``(levels 3)``).  Level ``direct`` and those after
  it are hashed.
- ``spares``, ``copies``: a coarse level has few rows, and samples of neighbouring rays would queue to add to the same
  one.  The gradient of such a level is summed in several copies: the first in its place, the others from row
  ``spares`` on.  Programs take turns; whoever launches a kernel adds the copies up.
- ``WIDE``: the smallest power of two from ``WIDTH`` on.  ``STAGGERED``: whether corners are moved by half a cell.

The arithmetic is that of ``HashGridModule.read``, operation by operation: a point that rounds into another cell has
another slope, so kernels are to be launched without fused multiply-adds.

Bits 2, 1 and 0 of a corner's number say whether it is the upper one in x, y and z.
"""
# The compiler reads annotations as code.
# ruff: noqa: ANN001, ANN201, ANN202, N803
# mypy: allow-untyped-defs, allow-incomplete-defs, allow-untyped-decorators

from __future__ import annotations

import triton
import triton.language as tl

#: Arguments of which one compiled kernel serves all values.
_VARYING = ("count", "levels", "direct")


@triton.jit
def _axis(points, at, live, steps, cells, level, axis: tl.constexpr, STAGGERED: tl.constexpr):
    """On one axis: index times step of lower and upper corner, their shares, and the slope of the upper one's share."""
    size = tl.load(cells + level).to(tl.float32)
    point = tl.load(points + at * 3 + axis, mask=live, other=0.0)
    scaled = tl.where(point < 0.0, 0.0, tl.where(point > 1.0, 1.0, point)) * size  # NaN stays NaN
    if STAGGERED:
        scaled = scaled + 0.5
        lower = tl.floor(scaled)
    else:
        lower = tl.minimum(tl.floor(scaled), size - 1.0)
    step = tl.load(steps + level * 3 + axis).to(tl.uint32)
    index = tl.where(lower >= 0.0, lower, 0.0).to(tl.int32).to(tl.uint32) * step  # in the table for NaN, too
    upper = scaled - lower
    slope = tl.where((point >= 0.0) & (point <= 1.0), size, 0.0)
    return (index, index + step), (1.0 - upper, upper), slope


@triton.jit
def _row(x, y, z, start, rows, is_hashed):
    """The row ``(block,)`` of a corner from its indices times their steps (tables have less than 2^31 rows)."""
    # a hashed level has a power of two of rows; half a cell reaches one corner past the last of a direct one
    return start + (tl.where(is_hashed, x ^ y ^ z, x + y + z) % rows).to(tl.int64)


@triton.jit
def _begin(starts, rows, count, WIDTH: tl.constexpr, WIDE: tl.constexpr, BLOCK: tl.constexpr):
    """The level and the points of a program, the columns of a row of the table, and where the level's rows are."""
    level = tl.program_id(1)
    at = tl.program_id(0).to(tl.int64) * BLOCK + tl.arange(0, BLOCK)
    live = at < count
    column = tl.arange(0, WIDE)[None, :]
    mask = live[:, None] & (column < WIDTH)
    start, size = tl.load(starts + level), tl.load(rows + level).to(tl.uint32)
    return level, at, live, column, mask, start, size


@triton.jit
def _start_of_copy(spares, copies, start, size, level):
    """The first row of the copy of a level that a program adds to."""
    copy = tl.program_id(0) % tl.load(copies + level).to(tl.int32)
    spare = tl.load(spares + level) + (copy - 1).to(tl.int64) * size
    return tl.where(copy == 0, start, spare)


@triton.jit(do_not_specialize=_VARYING)
def read(
    points, table, steps, starts, rows, cells,
    features, count, levels, direct,
    WIDTH: tl.constexpr, WIDE: tl.constexpr, STAGGERED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write ``features`` ``(count levels WIDTH)``."""
    level, at, live, column, mask, start, size = _begin(starts, rows, count, WIDTH, WIDE, BLOCK)
    x, share_x, _ = _axis(points, at, live, steps, cells, level, 0, STAGGERED)
    y, share_y, _ = _axis(points, at, live, steps, cells, level, 1, STAGGERED)
    z, share_z, _ = _axis(points, at, live, steps, cells, level, 2, STAGGERED)
    total = tl.full((BLOCK, WIDE), 0.0, tl.float32)
    for corner in tl.static_range(8):
        row = _row(x[corner // 4], y[corner // 2 % 2], z[corner % 2], start, size, level >= direct)
        share = share_x[corner // 4] * share_y[corner // 2 % 2] * share_z[corner % 2]
        total += tl.load(table + row[:, None] * WIDTH + column, mask=mask, other=0.0) * share[:, None]
    tl.store(features + (at * levels + level)[:, None] * WIDTH + column, total, mask=mask)


@triton.jit(do_not_specialize=_VARYING)
def scatter(
    points, gradient, steps, starts, rows, cells, spares, copies,
    table_gradient, count, levels, direct,
    WIDTH: tl.constexpr, WIDE: tl.constexpr, STAGGERED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Add the gradient of the features ``(count levels WIDTH)`` to that of the table, which starts at 0."""
    level, at, live, column, mask, start, size = _begin(starts, rows, count, WIDTH, WIDE, BLOCK)
    start = _start_of_copy(spares, copies, start, size, level)
    x, share_x, _ = _axis(points, at, live, steps, cells, level, 0, STAGGERED)
    y, share_y, _ = _axis(points, at, live, steps, cells, level, 1, STAGGERED)
    z, share_z, _ = _axis(points, at, live, steps, cells, level, 2, STAGGERED)
    pull = tl.load(gradient + (at * levels + level)[:, None] * WIDTH + column, mask=mask, other=0.0)
    for corner in tl.static_range(8):
        row = _row(x[corner // 4], y[corner // 2 % 2], z[corner % 2], start, size, level >= direct)
        share = share_x[corner // 4] * share_y[corner // 2 % 2] * share_z[corner % 2]
        tl.atomic_add(table_gradient + row[:, None] * WIDTH + column, pull * share[:, None], mask=mask, sem="relaxed")


@triton.jit(do_not_specialize=_VARYING)
def slope(
    points, table, gradient, steps, starts, rows, cells,
    slopes, count, levels, direct,
    WIDTH: tl.constexpr, WIDE: tl.constexpr, STAGGERED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """Write the gradient at the points, level by level ``(levels count 3)``, from that of the features."""
    level, at, live, column, mask, start, size = _begin(starts, rows, count, WIDTH, WIDE, BLOCK)
    x, share_x, slope_x = _axis(points, at, live, steps, cells, level, 0, STAGGERED)
    y, share_y, slope_y = _axis(points, at, live, steps, cells, level, 1, STAGGERED)
    z, share_z, slope_z = _axis(points, at, live, steps, cells, level, 2, STAGGERED)
    pull = tl.load(gradient + (at * levels + level)[:, None] * WIDTH + column, mask=mask, other=0.0)
    along_x = tl.full((BLOCK,), 0.0, tl.float32)
    along_y = tl.full((BLOCK,), 0.0, tl.float32)
    along_z = tl.full((BLOCK,), 0.0, tl.float32)
    for corner in tl.static_range(8):
        row = _row(x[corner // 4], y[corner // 2 % 2], z[corner % 2], start, size, level >= direct)
        height = tl.sum(tl.load(table + row[:, None] * WIDTH + column, mask=mask, other=0.0) * pull, axis=1)
        at_x, at_y, at_z = share_x[corner // 4], share_y[corner // 2 % 2], share_z[corner % 2]
        along_x += (corner // 4 * 2 - 1) * height * at_y * at_z
        along_y += (corner // 2 % 2 * 2 - 1) * height * at_x * at_z
        along_z += (corner % 2 * 2 - 1) * height * at_x * at_y
    place = slopes + (level.to(tl.int64) * count + at) * 3
    tl.store(place, along_x * slope_x, mask=live)
    tl.store(place + 1, along_y * slope_y, mask=live)
    tl.store(place + 2, along_z * slope_z, mask=live)


@triton.jit(do_not_specialize=_VARYING)
def slope_backward(
    points, table, gradient, pulls, steps, starts, rows, cells, spares, copies,
    table_gradient, gradient_gradient, slopes, count, levels, direct,
    WIDTH: tl.constexpr, WIDE: tl.constexpr, STAGGERED: tl.constexpr, BLOCK: tl.constexpr,
):  # fmt: skip
    """The derivatives of ``(pulls · slope).sum()``, for the sum over levels of what :func:`slope` writes.

    Adds that in the table to ``table_gradient``, writes that in ``gradient`` to ``gradient_gradient`` ``(count levels
    WIDTH)``, and that in the points, level by level, to ``slopes`` ``(levels count 3)``.
    """
    level, at, live, column, mask, start, size = _begin(starts, rows, count, WIDTH, WIDE, BLOCK)
    x, share_x, slope_x = _axis(points, at, live, steps, cells, level, 0, STAGGERED)
    y, share_y, slope_y = _axis(points, at, live, steps, cells, level, 1, STAGGERED)
    z, share_z, slope_z = _axis(points, at, live, steps, cells, level, 2, STAGGERED)
    moved = _start_of_copy(spares, copies, start, size, level) - start
    own = (at * levels + level)[:, None] * WIDTH + column
    pull = tl.load(gradient + own, mask=mask, other=0.0)
    to_x = tl.load(pulls + at * 3, mask=live, other=0.0) * slope_x
    to_y = tl.load(pulls + at * 3 + 1, mask=live, other=0.0) * slope_y
    to_z = tl.load(pulls + at * 3 + 2, mask=live, other=0.0) * slope_z
    total = tl.full((BLOCK, WIDE), 0.0, tl.float32)
    along_x = tl.full((BLOCK,), 0.0, tl.float32)
    along_y = tl.full((BLOCK,), 0.0, tl.float32)
    along_z = tl.full((BLOCK,), 0.0, tl.float32)
    for corner in tl.static_range(8):
        row = _row(x[corner // 4], y[corner // 2 % 2], z[corner % 2], start, size, level >= direct)
        # how the share of the corner changes along each axis, in cells; the signs are those of the corner
        at_x, at_y, at_z = share_x[corner // 4], share_y[corner // 2 % 2], share_z[corner % 2]
        sign_x, sign_y, sign_z = corner // 4 * 2 - 1, corner // 2 % 2 * 2 - 1, corner % 2 * 2 - 1
        turn_x, turn_y, turn_z = sign_x * to_x, sign_y * to_y, sign_z * to_z
        change = turn_x * at_y * at_z + turn_y * at_x * at_z + turn_z * at_x * at_y
        values = tl.load(table + row[:, None] * WIDTH + column, mask=mask, other=0.0)
        place = table_gradient + (row + moved)[:, None] * WIDTH + column
        tl.atomic_add(place, pull * change[:, None], mask=mask, sem="relaxed")
        total += values * change[:, None]
        height = tl.sum(values * pull, axis=1)
        along_x += sign_x * height * (turn_y * at_z + turn_z * at_y)
        along_y += sign_y * height * (turn_x * at_z + turn_z * at_x)
        along_z += sign_z * height * (turn_x * at_y + turn_y * at_x)
    tl.store(gradient_gradient + own, total, mask=mask)
    place = slopes + (level.to(tl.int64) * count + at) * 3
    tl.store(place, along_x * slope_x, mask=live)
    tl.store(place + 1, along_y * slope_y, mask=live)
    tl.store(place + 2, along_z * slope_z, mask=live)

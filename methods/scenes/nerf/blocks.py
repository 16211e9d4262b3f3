"""Rendering in blocks of rays whose gradient needs the memory of one block only (deferred back-propagation).

Losses see a scene only through its pixels.  So the pixels are rendered without a gradient, and each block is rendered
again when the gradient of its pixels is known: the time of one more render without a gradient, for memory that does not
grow with the image.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import psutil
import torch
from torch import Tensor

#: Values of a block's rays by name, ``(r c)`` each.
Pixels = dict[str, Tensor]


class Block(NamedTuple):
    """Consecutive rays and their samples, which are known on the host: finding them again would wait for the device."""

    rays: slice
    samples: slice


#: Memory of one sample whose gradient is wanted, with 16 levels of a hash grid, analytic normals and every penalty;
#: other scenes take less.  10.5 kB were measured in plain torch; with Triton's kernels 2.2 kB for the field with its
#: normals (on an H200), to which a third is added for the rest of the render.
_BYTES_PER_SAMPLE = 10_500
_BYTES_WITH_KERNELS = {"triton": 3_000}

#: Share of a device's memory for one block, and the most bytes, so that table 1 takes less than 20 GB on any GPU.
_SHARE, _MOST_BYTES = 1 / 8, 12e9


def samples_in_memory(device: torch.device, backend: str | None) -> int:
    """Number of samples in one block on ``device``, by the backend of the encoding.

    It depends on the memory that the device has and not on what is free now: a cell that is continued must be cut into
    the same blocks, or its sums are rounded differently.
    """
    if device.type == "cuda":
        total = torch.cuda.get_device_properties(device).total_memory
    else:
        total = psutil.virtual_memory().total
    return samples_in(total, backend)


def samples_in(memory_bytes: int, backend: str | None) -> int:
    """Number of samples in one block on a device with ``memory_bytes`` of memory."""
    return max(1, block_bytes(memory_bytes) // _BYTES_WITH_KERNELS.get(backend or "", _BYTES_PER_SAMPLE))


def block_bytes(memory_bytes: int) -> int:
    """Memory for one block on a device with ``memory_bytes`` of memory."""
    return int(min(memory_bytes * _SHARE, _MOST_BYTES))


def cut(counts: Tensor, at_once: int) -> list[Block]:
    """Consecutive rays in blocks of at most ``at_once`` samples; a ray is never divided.

    Args:
        counts: ``(r,)`` int64, samples of each ray.
        at_once: Samples of a block; a ray with more is a block of its own.
    """
    ends = counts.cumsum(0).cpu()
    blocks, first, before = [], 0, 0
    while first < len(ends):
        last = max(first + 1, int(torch.searchsorted(ends, before + at_once, right=True)))
        blocks.append(Block(slice(first, last), slice(before, before := int(ends[last - 1]))))
        first = last
    return blocks


def render_blocks(render: Callable[[Block], Pixels], blocks: Sequence[Block], parameters: Sequence[Tensor]) -> Pixels:
    """The pixels of all rays.

    Args:
        render: Rays to their pixels; it must return the same for the same rays.
        blocks: All rays, in order.  One block is rendered once, with its graph.
        parameters: All tensors that the pixels have a gradient in.
    """
    if len(blocks) == 1:
        return render(blocks[0])
    if not torch.is_grad_enabled():
        return _together(map(render, blocks))
    names: list[str] = []
    rendered = _Deferred.apply(render, blocks, names, *parameters)
    return dict(zip(names, rendered, strict=True))


class _Deferred(torch.autograd.Function):
    """Pixels without a graph, whose gradient is found by rendering block after block again."""

    @staticmethod
    def forward(  # type: ignore[override]
        ctx: Any, render: Callable[[Block], Pixels], blocks: Sequence[Block], names: list[str], *parameters: Tensor
    ) -> tuple[Tensor, ...]:
        ctx.render, ctx.blocks = render, blocks
        ctx.save_for_backward(*parameters)  # refuses the gradient if they have changed since
        pixels = _together(map(render, blocks))
        names.extend(pixels)
        ctx.names = names
        return tuple(pixels.values())

    @staticmethod
    def backward(ctx: Any, *slopes: Tensor) -> tuple[Any, ...]:  # type: ignore[override]
        parameters = ctx.saved_tensors
        moving = [parameter for parameter in parameters if parameter.requires_grad]
        total = [torch.zeros_like(parameter) for parameter in moving]
        for block in ctx.blocks:
            outer = {name: slope[block.rays] for name, slope in zip(ctx.names, slopes, strict=True)}
            _add_gradients(total, ctx.render, block, outer, moving)
        found = iter(total)
        return (None, None, None, *(next(found) if parameter.requires_grad else None for parameter in parameters))


def _add_gradients(
    total: list[Tensor], render: Callable[[Block], Pixels], block: Block, outer: Pixels, parameters: list[Tensor]
) -> None:
    """Render one block again and add its gradients to ``total``; its graph is gone when this returns."""
    with torch.enable_grad():
        pixels = render(block)
    names = [name for name, values in pixels.items() if values.requires_grad]
    if names:
        ends, slopes = [pixels[name] for name in names], [outer[name] for name in names]
        for kept, gradient in zip(total, torch.autograd.grad(ends, parameters, slopes, allow_unused=True), strict=True):
            if gradient is not None:
                kept.add_(gradient)


def _together(blocks: Any) -> Pixels:
    """The pixels of consecutive blocks as one."""
    parts = list(blocks)
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}

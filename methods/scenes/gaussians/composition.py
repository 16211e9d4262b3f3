"""Ellipses to pixels: sorted by depth, front to back, tile by tile."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from methods.scenes.gaussians.projection import Ellipses

#: Opacity of a Gaussian at a pixel below which it is left out, and above which it is cut (3D Gaussian Splatting).
LEAST, MOST = 1 / 255, 0.999

#: Side of a tile, pixels.
TILE = 8

#: Pairs of a pixel and a Gaussian that are composited at once; an image with more is computed again for its gradient.
_PAIRS_AT_ONCE = 2**24

#: Groups of tiles, each of which is composited as one table as wide as its fullest tile.
_GROUPS = 8


def composite(ellipses: Ellipses, opacity: Tensor, values: Tensor, resolution: int) -> tuple[Tensor, Tensor]:
    """Sums of the Gaussians' values under the weights of alpha compositing, and the sum of the weights.

    All Gaussians that reach ``LEAST`` at a pixel count, in exact order of their depth in the camera, and no ray ends
    early.  The result does not depend on the tiles.

    Args:
        ellipses: Those of ``b`` cameras.
        opacity: ``(n,)`` in [0, 1].
        values: ``(b n c)``.
        resolution: Side of the images, pixels.

    Returns:
        Images ``(b c h w)`` and ``(b 1 h w)``.
    """
    across = -(-resolution // TILE)  # tiles along a side
    peak = opacity * ellipses.share
    orders = ellipses.depth.detach().argsort(dim=1, stable=True)
    reached = torch.stack([_reached(_of(ellipses, view), peak[view].detach(), across) for view in range(len(values))])
    reached = reached.gather(2, orders[:, None].expand(-1, reached.shape[1], -1))  # (b tiles n)
    counts, fullest = reached.sum(2).sort(dim=1, descending=True, stable=True)
    known = counts.tolist()  # the host waits once
    sums = torch.stack(
        [
            _view(
                _of(ellipses, view), peak[view], values[view], orders[view], reached[view], fullest[view], known[view]
            )
            for view in range(len(values))
        ]
    )[:, :, :resolution, :resolution]
    return sums[:, :-1], sums[:, -1:]


def _of(ellipses: Ellipses, view: int) -> Ellipses:
    """The ellipses of one camera."""
    return Ellipses(*(part[view] for part in ellipses))


def _view(
    ellipses: Ellipses,
    peak: Tensor,
    values: Tensor,
    order: Tensor,
    reached: Tensor,
    fullest: Tensor,
    counts: Sequence[int],
) -> Tensor:
    """One camera's image ``(c + 1, side, side)`` of whole tiles.

    Args:
        ellipses: Those of the camera.
        peak: ``(n,)``, the opacity of their centres.
        values: ``(n c)``.
        order: ``(n,)``, nearest first.
        reached: ``(tiles n)`` bool, in that order.
        fullest: ``(tiles,)``, those that hold most first; tiles of a group then hold about as many.
        counts: How many each of these holds.
    """
    across = math.isqrt(len(counts))
    # with a gradient, which is 0
    nothing = 0 * (values.sum() + peak.sum() + ellipses.centres.sum() + ellipses.covariance.sum())
    ones = torch.cat([values, torch.ones_like(values[:, :1])], dim=1)
    parts, first = [], 0
    while first < len(counts) and counts[first] > 0:
        most = counts[first]
        size = max(1, min(-(-len(counts) // _GROUPS), _PAIRS_AT_ONCE // (TILE**2 * most)))
        tiles = fullest[first : first + size]
        # a stable sort of "not reached" moves what is reached to the front, in order of depth
        nearest = (~reached[tiles]).to(torch.int8).argsort(dim=1, stable=True)[:, :most]
        counted, index = reached[tiles].gather(1, nearest), order[nearest]
        pixels = _pixels(across, tiles, values)
        given = (ellipses.centres, ellipses.covariance, peak, ones, index, counted, pixels)
        if torch.is_grad_enabled() and len(counts) * TILE**2 * counts[0] > _PAIRS_AT_ONCE:
            parts.append(checkpoint(_tiles, *given, use_reentrant=False, preserve_rng_state=False))
        else:
            parts.append(_tiles(*given))
        first += size
    empty = nothing.expand(max(0, len(counts) - first), TILE**2, ones.shape[1])
    image = torch.cat([*parts, empty]).index_select(0, fullest.argsort())
    image = image.view(across, across, TILE, TILE, -1).permute(4, 0, 2, 1, 3)
    return image.reshape(-1, across * TILE, across * TILE)


def _reached(ellipses: Ellipses, peak: Tensor, across: int) -> Tensor:
    """Whether a Gaussian has ``LEAST`` in the smallest box around it within each tile, ``(tiles n)``."""
    half = (2 * (peak / LEAST).log().clamp(min=0)).sqrt()[:, None] * ellipses.covariance[:, ::2].detach().sqrt()
    low, high = ellipses.centres.detach() - half, ellipses.centres.detach() + half
    first = TILE * torch.arange(across, device=peak.device, dtype=peak.dtype)[:, None] + 0.5  # centre of a tile's pixel
    last = first + TILE - 1
    by_axis = [~((high[:, axis] < first) | (low[:, axis] > last)) for axis in (0, 1)]
    can_be_seen = ellipses.is_seen & ~(peak < LEAST)
    return (by_axis[1][:, None] & by_axis[0][None] & can_be_seen).flatten(0, 1)


def _pixels(across: int, tiles: Tensor, like: Tensor) -> Tensor:
    """Centres ``(tiles pixels 2)`` of the pixels of ``tiles``, which are counted by row."""
    corner = TILE * torch.stack([tiles % across, tiles // across], dim=-1)
    inside = torch.arange(TILE**2, device=like.device)
    within = torch.stack([inside % TILE, inside // TILE], dim=-1)
    return (corner[:, None] + within).to(like.dtype) + 0.5


def _tiles(
    centres: Tensor, covariance: Tensor, peak: Tensor, values: Tensor, index: Tensor, counted: Tensor, pixels: Tensor
) -> Tensor:
    """The sums ``(tiles pixels c)`` of some tiles, whose Gaussians are at ``index`` ``(tiles k)`` where ``counted``."""
    xx, xy, yy = covariance[index].unbind(-1)  # (tiles k)
    determinant = xx * yy - xy**2
    x, y = (pixels[:, :, None] - centres[index][:, None]).unbind(-1)  # (tiles pixels k)
    power = 0.5 * ((yy / determinant)[:, None] * x**2 + (xx / determinant)[:, None] * y**2)
    power = power - (xy / determinant)[:, None] * x * y
    alpha = peak[index][:, None] * torch.exp(-power)
    alpha = torch.where(counted[:, None] & ~(alpha < LEAST), alpha.clamp(max=MOST), 0.0)
    passed = torch.log1p(-alpha)
    light = torch.exp(passed.cumsum(-1) - passed)
    return (alpha * light) @ values[index]

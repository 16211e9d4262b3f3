"""Images of toybox objects from any camera: sphere tracing, painting and fixed lighting.

Tracing depends on the kind alone and painting is cheap, so one traced surface serves many colours.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from prompts.toybox.kinds import KINDS, MATERIALS, Part
from prompts.toybox.objects import COLOURS, ToyObject

#: Direction towards the light (unit vector in the world), and the share of light that is everywhere.
LIGHT = (0.48, 0.36, 0.80)
AMBIENT = 0.55

#: Every object lies within this distance of the origin.
BOUNDING_RADIUS = 1.02

_STEPS = 48
_CLOSE = 2e-3
_PERIOD = 0.32  # period of the patterns, world units: about 9 pixels at 64 × 64
_PAINT = list(MATERIALS).index("paint")


class Surface(NamedTuple):
    """Hits of the rays of one image."""

    hit: Tensor  # (h w), bool
    depth: Tensor  # (h w), distance along the ray, 0 where nothing is hit
    point: Tensor  # (h w 3), world space
    normal: Tensor  # (h w 3), unit length, 0 where nothing is hit
    material: Tensor  # (h w), int64 index into MATERIALS


class ToyRendering(NamedTuple):
    """One image with its ground truth."""

    rgb: Tensor  # (3 h w) in [0, 1], colour premultiplied by opacity (over black)
    opacity: Tensor  # (1 h w) in [0, 1]
    depth: Tensor  # (1 h w)
    normals: Tensor  # (3 h w), weighted by opacity

    def over(self, background: float) -> Tensor:
        """Composite the colours ``(3 h w)`` over a grey background in [0, 1]."""
        return self.rgb + (1 - self.opacity) * background


def distance(kind: str | Sequence[Part], points: Tensor) -> tuple[Tensor, Tensor]:
    """Return the signed distance ``(n,)`` of points ``(n 3)`` to an object, and the nearest material as an index.

    The object is of a kind, or made of other parts.
    """
    parts = KINDS[kind] if isinstance(kind, str) else kind
    distances = torch.stack([solid(points) for solid, _ in parts])
    nearest, part = distances.min(dim=0)
    names = list(MATERIALS)
    return nearest, torch.tensor([names.index(material) for _, material in parts])[part]


def trace(kind: str | Sequence[Part], origins: Tensor, directions: Tensor) -> Surface:
    """Follow rays ``(h w 3)`` of unit direction to the surface of an object of ``kind``, or made of these parts."""
    start, direction = origins.reshape(-1, 3), directions.reshape(-1, 3)
    middle = -(start * direction).sum(-1)
    inside = BOUNDING_RADIUS**2 - (start.square().sum(-1) - middle.square())
    travelled = middle - inside.clamp_min(0).sqrt()
    active = torch.nonzero(inside > 0).squeeze(-1)
    hit = torch.zeros(len(start), dtype=torch.bool)
    for _ in range(_STEPS):
        step, _part = distance(kind, start[active] + travelled[active, None] * direction[active])
        travelled[active] += step.clamp_min(_CLOSE / 2)
        hit[active[step < _CLOSE]] = True
        active = active[(step >= _CLOSE) & (travelled[active] < middle[active] + BOUNDING_RADIUS)]
        if not len(active):
            break
    where = torch.nonzero(hit).squeeze(-1)
    met = start[where] + travelled[where, None] * direction[where]
    point, normal = torch.zeros_like(start), torch.zeros_like(start)
    material = torch.zeros(len(start), dtype=torch.int64)
    point[where] = met
    if len(where):
        normal[where] = _normals(kind, met)
        material[where] = distance(kind, met)[1]
    shape = origins.shape[:-1]
    depth = torch.where(hit, travelled, torch.zeros_like(travelled))
    return Surface(
        hit.reshape(shape), depth.reshape(shape), point.reshape(*shape, 3), normal.reshape(*shape, 3),
        material.reshape(shape),
    )  # fmt: skip


def paint(surface: Surface, toy: ToyObject) -> Tensor:
    """Shade a traced surface: colours ``(h w 3)`` in [0, 1], 0 where nothing is hit."""
    colour = torch.tensor(list(MATERIALS.values()))[surface.material]
    painted = surface.material == _PAINT
    coloured, white = torch.tensor(COLOURS[toy.colour]), torch.tensor(MATERIALS["white"])
    shows_white = _pattern(toy.pattern, surface.point, surface.normal)[..., None]
    colour = torch.where(painted[..., None], torch.where(shows_white, white, coloured), colour)
    facing = (surface.normal @ torch.tensor(LIGHT)).clamp_min(0)
    shade = AMBIENT + (1 - AMBIENT) * facing
    return colour * shade[..., None] * surface.hit[..., None]


def develop(surface: Surface, toy: ToyObject, supersample: int) -> ToyRendering:
    """Paint a traced surface, averaged over ``supersample`` × ``supersample`` rays per pixel."""
    return ToyRendering(
        rgb=_shrink(paint(surface, toy), supersample),
        opacity=_shrink(surface.hit[..., None].float(), supersample),
        depth=_shrink(surface.depth[..., None], supersample),
        normals=_shrink(surface.normal, supersample),
    )


def render_object(toy: ToyObject, origins: Tensor, directions: Tensor, *, supersample: int = 2) -> ToyRendering:
    """Render ``toy`` along rays ``(s·h s·w 3)``, with ``supersample`` = s times the resolution of the image."""
    return develop(trace(toy.kind, origins, directions), toy, supersample)


def _normals(kind: str | Sequence[Part], points: Tensor) -> Tensor:
    corners = points.new_tensor([[1, -1, -1], [-1, -1, 1], [-1, 1, -1], [1, 1, 1]])
    around = (points[:, None] + 1e-3 * corners).reshape(-1, 3)
    heights = distance(kind, around)[0].reshape(-1, 4)
    return torch.nn.functional.normalize(heights @ corners, dim=-1)


def _pattern(pattern: str, point: Tensor, normal: Tensor) -> Tensor:
    """Mask ``(h w)`` of the points at which a painted surface is white instead of its colour."""
    if pattern == "plain":
        return torch.zeros(point.shape[:-1], dtype=torch.bool)
    if pattern == "striped":
        return (point[..., 2] / _PERIOD) % 1.0 < 0.45
    # Dots and checks lie in the coordinate plane that the surface faces, so that no face cuts between them.
    facing = normal.abs().argmax(dim=-1)
    plane = torch.tensor([[1, 2], [0, 2], [0, 1]])[facing]
    across = torch.gather(point, -1, plane) / _PERIOD
    if pattern == "dotted":
        return ((across % 1.0) - 0.5).norm(dim=-1) < 0.30
    return (across.floor().sum(dim=-1) % 2) == 1


def _shrink(values: Tensor, by: int) -> Tensor:
    """Average ``(s·h s·w c)`` to ``(c h w)``."""
    return torch.nn.functional.avg_pool2d(values.permute(2, 0, 1)[None], by)[0]

"""The kinds of object: each a list of parts, a part being a solid and what it is made of.

Every kind fits in a ball of radius 1.01 about the origin, faces +x, and looks different from behind.
The material ``"paint"`` takes the object's colour and pattern; all others are the same for every object.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from prompts.toybox.distances import box, capsule, cone, cylinder, ellipsoid, gable, sphere, torus

#: Colours of the parts that are not painted, red green blue in [0, 1].
MATERIALS: dict[str, tuple[float, float, float]] = {
    "paint": (0.0, 0.0, 0.0),
    "dark": (0.13, 0.13, 0.16),
    "white": (0.97, 0.97, 0.95),
    "grey": (0.55, 0.57, 0.60),
    "wood": (0.48, 0.30, 0.16),
    "glass": (0.62, 0.86, 0.95),
    "lamp": (1.00, 0.93, 0.45),
    "tail_light": (0.80, 0.05, 0.10),
    "beak": (0.98, 0.60, 0.10),
}

#: One part: its signed distance and the name of its material.
Part = tuple[Callable[[Tensor], Tensor], str]


def _part(solid: Callable[..., Tensor], material: str, *sizes: object, **more: object) -> Part:
    return partial(solid, **dict(zip(_ARGUMENTS[solid], sizes, strict=False)), **more), material


_ARGUMENTS: dict[Callable[..., Tensor], tuple[str, ...]] = {
    sphere: ("centre", "radius"),
    ellipsoid: ("centre", "radii"),
    box: ("centre", "half", "rounding"),
    cylinder: ("centre", "radius", "half", "axis"),
    capsule: ("start", "end", "radius"),
    torus: ("centre", "radius", "thickness", "axis"),
    cone: ("base", "radius", "height", "axis"),
    gable: ("base", "half_depth", "half_width", "height"),
}


def _mug(points: Tensor) -> Tensor:
    return torch.maximum(cylinder(points, (0.08, 0, 0), 0.46, 0.52), -cylinder(points, (0.08, 0, 0.2), 0.38, 0.6))


def _tail(points: Tensor) -> Tensor:
    return torch.maximum(cone(points, (-0.86, 0, 0), 0.4, 0.6, 0), points[:, 1].abs() - 0.06)


def _cap(points: Tensor) -> Tensor:
    return torch.maximum(ellipsoid(points, (0, 0, 0.05), (0.72, 0.72, 0.62)), 0.05 - points[:, 2])


KINDS: dict[str, tuple[Part, ...]] = {
    "car": (
        _part(box, "paint", (0, 0, -0.15), (0.8, 0.38, 0.2), 0.1),
        _part(box, "glass", (-0.08, 0, 0.17), (0.4, 0.32, 0.2), 0.1),
        _part(box, "paint", (-0.08, 0, 0.36), (0.36, 0.3, 0.05), 0.03),
        *(_part(cylinder, "dark", (x, y, -0.34), 0.19, 0.08, 1) for x in (-0.47, 0.47) for y in (-0.36, 0.36)),
        *(_part(sphere, "lamp", (0.76, y, -0.1), 0.11) for y in (-0.24, 0.24)),
        *(_part(box, "tail_light", (-0.78, y, -0.08), (0.06, 0.12, 0.08), 0.02) for y in (-0.22, 0.22)),
    ),
    "house": (
        _part(box, "paint", (0, 0, -0.28), (0.52, 0.5, 0.42)),
        _part(gable, "dark", (0, 0, 0.12), 0.6, 0.64, 0.58),
        _part(box, "wood", (0.52, 0.14, -0.44), (0.04, 0.14, 0.26)),
        _part(box, "glass", (0.52, -0.24, -0.3), (0.04, 0.14, 0.14)),
        _part(box, "white", (-0.3, 0.26, 0.48), (0.1, 0.1, 0.26)),
    ),
    "robot": (
        _part(box, "paint", (0, 0, -0.1), (0.27, 0.36, 0.34), 0.06),
        _part(box, "grey", (0, 0, 0.46), (0.22, 0.26, 0.18), 0.05),
        *(_part(sphere, "lamp", (0.21, y, 0.5), 0.075) for y in (-0.11, 0.11)),
        _part(box, "dark", (0.22, 0, 0.35), (0.02, 0.13, 0.03)),
        _part(capsule, "dark", (0, 0, 0.62), (0, 0, 0.84), 0.035),
        _part(sphere, "tail_light", (0, 0, 0.85), 0.075),
        *(_part(capsule, "grey", (0, y, 0.12), (0.1, y * 1.2, -0.3), 0.085) for y in (-0.47, 0.47)),
        *(_part(cylinder, "dark", (0, y, -0.62), 0.12, 0.2) for y in (-0.19, 0.19)),
        _part(box, "dark", (-0.3, 0, -0.05), (0.1, 0.2, 0.2), 0.03),
    ),
    "duck": (
        _part(ellipsoid, "paint", (-0.08, 0, -0.22), (0.62, 0.44, 0.4)),
        _part(sphere, "paint", (0.36, 0, 0.34), 0.3),
        _part(cone, "beak", (0.58, 0, 0.3), 0.14, 0.32, 0),
        *(_part(sphere, "dark", (0.55, y, 0.44), 0.065) for y in (-0.17, 0.17)),
        _part(ellipsoid, "white", (-0.66, 0, 0.02), (0.2, 0.16, 0.22)),
        *(_part(ellipsoid, "beak", (0.1, y, -0.66), (0.2, 0.12, 0.06)) for y in (-0.2, 0.2)),
    ),
    "mug": (
        (_mug, "paint"),
        _part(torus, "white", (-0.48, 0, 0), 0.28, 0.07, 1),
        _part(ellipsoid, "dark", (0.53, 0, 0.0), (0.05, 0.2, 0.2)),
        _part(cylinder, "wood", (0.08, 0, 0.3), 0.4, 0.03),
    ),
    "snowman": (
        _part(sphere, "paint", (0, 0, -0.42), 0.44),
        _part(sphere, "paint", (0, 0, 0.12), 0.31),
        _part(sphere, "white", (0, 0, 0.5), 0.23),
        _part(cone, "beak", (0.2, 0, 0.5), 0.07, 0.3, 0),
        *(_part(sphere, "dark", (0.19, y, 0.59), 0.05) for y in (-0.09, 0.09)),
        *(_part(sphere, "dark", (x, 0, z), 0.055) for x, z in ((0.31, 0.12), (0.29, 0.25), (0.42, -0.34))),
        _part(cylinder, "dark", (0, 0, 0.7), 0.3, 0.03),
        _part(cylinder, "dark", (0, 0, 0.8), 0.19, 0.12),
    ),
    "chair": (
        _part(box, "paint", (0.02, 0, -0.1), (0.46, 0.44, 0.07), 0.03),
        _part(box, "paint", (-0.42, 0, 0.38), (0.06, 0.44, 0.42), 0.04),
        *(_part(capsule, "wood", (x, y, -0.14), (x, y, -0.72), 0.07) for x in (-0.36, 0.38) for y in (-0.34, 0.34)),
        _part(box, "white", (0.06, 0, 0.02), (0.3, 0.3, 0.07), 0.05),
    ),
    "rocket": (
        _part(capsule, "paint", (0, 0, -0.38), (0, 0, 0.26), 0.3),
        _part(cone, "white", (0, 0, 0.42), 0.27, 0.5),
        _part(cylinder, "grey", (0.28, 0, 0.2), 0.16, 0.05, 0),
        _part(cylinder, "glass", (0.3, 0, 0.2), 0.11, 0.06, 0),
        _part(box, "dark", (-0.3, 0, -0.1), (0.04, 0.12, 0.2)),
        *(_part(box, "grey", (0, y, -0.52), (0.04, 0.2, 0.24), 0.02) for y in (-0.4, 0.4)),
        _part(box, "grey", (-0.4, 0, -0.52), (0.2, 0.04, 0.24), 0.02),
        _part(cone, "lamp", (0, 0, -0.62), 0.2, -0.26),
    ),
    "mushroom": (
        (_cap, "paint"),
        _part(cylinder, "white", (0, 0, -0.3), 0.32, 0.4),
        _part(box, "wood", (0.3, 0, -0.48), (0.06, 0.13, 0.22)),
        _part(sphere, "glass", (0.3, 0, -0.12), 0.09),
        _part(ellipsoid, "dark", (0, 0, -0.7), (0.5, 0.5, 0.08)),
    ),
    "fish": (
        _part(ellipsoid, "paint", (0.12, 0, 0), (0.66, 0.32, 0.46)),
        (_tail, "beak"),
        *(_part(sphere, "white", (0.5, y, 0.14), 0.13) for y in (-0.18, 0.18)),
        *(_part(sphere, "dark", (0.58, y, 0.15), 0.08) for y in (-0.22, 0.22)),
        _part(ellipsoid, "tail_light", (0.75, 0, -0.08), (0.07, 0.13, 0.07)),
        _part(box, "grey", (0.0, 0, 0.48), (0.24, 0.03, 0.16), 0.02),
    ),
    "clock": (
        _part(cylinder, "paint", (0, 0, 0), 0.6, 0.18, 0),
        _part(cylinder, "white", (0.17, 0, 0), 0.47, 0.04, 0),
        _part(capsule, "dark", (0.23, 0, 0), (0.23, 0, 0.36), 0.04),
        _part(capsule, "dark", (0.23, 0, 0), (0.23, -0.24, -0.08), 0.04),
        *(_part(capsule, "wood", (0, y, -0.5), (0, y * 1.4, -0.74), 0.07) for y in (-0.32, 0.32)),
        *(_part(sphere, "lamp", (0, y, 0.6), 0.17) for y in (-0.32, 0.32)),
        _part(box, "dark", (-0.24, 0, 0), (0.08, 0.05, 0.16), 0.02),
    ),
    "teapot": (
        _part(ellipsoid, "paint", (0, 0, -0.1), (0.52, 0.52, 0.44)),
        _part(capsule, "grey", (0.42, 0, -0.15), (0.78, 0, 0.22), 0.09),
        _part(torus, "dark", (-0.56, 0, -0.05), 0.26, 0.07, 1),
        _part(ellipsoid, "white", (0, 0, 0.32), (0.28, 0.28, 0.1)),
        _part(sphere, "dark", (0, 0, 0.46), 0.09),
        _part(cylinder, "white", (0, 0, -0.53), 0.3, 0.05),
    ),
}

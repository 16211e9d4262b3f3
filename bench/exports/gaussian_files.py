"""Gaussians as a file that viewers of 3D Gaussian Splatting open.

The axes are those of 3D Gaussian Splatting's own scenes: x to the right, y down, and z away from a camera that looks at
the object's front.  Viewers start with such a camera, or turn a file by 180° about x to have y up.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from methods.pixels import NotFiniteError
from methods.scenes.gaussians.gaussians import GaussianScene
from methods.scenes.gaussians.harmonics import HARMONIC_0
from methods.scenes.gaussians.turning import GaussianArrays

#: From our axes (the front at +x, z up) to those of the file; a turn.
_TURN = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], float)


def ply(scene: GaussianScene) -> bytes:
    """A binary PLY file with the properties of 3D Gaussian Splatting's reference code, in its order.

    All values are those of the parameters: colours as coefficients of spherical harmonics (``f_rest``: all
    coefficients of red, then of green, then of blue), opacities before the sigmoid, logarithms of standard deviations,
    quaternions with the real part first.  Normals are zero, as they are there.

    Raises:
        NotFiniteError: If a parameter is NaN or infinite.
    """
    found = _turned(scene)
    rest = found.harmonics[:, 1:].transpose(0, 2, 1).reshape(len(found.means), -1)
    columns = {
        "x y z": found.means,
        "nx ny nz": np.zeros_like(found.means),
        "f_dc_0 f_dc_1 f_dc_2": found.harmonics[:, 0],
        " ".join(f"f_rest_{index}" for index in range(rest.shape[1])): rest,
        "opacity": found.opacity_logits,
        "scale_0 scale_1 scale_2": found.log_scales,
        "rot_0 rot_1 rot_2 rot_3": found.rotations,
    }
    names = [name for group in columns for name in group.split()]
    head = ["ply", "format binary_little_endian 1.0", f"element vertex {len(found.means)}"]
    head += [*(f"property float {name}" for name in names), "end_header", ""]
    return "\n".join(head).encode() + np.concatenate(list(columns.values()), axis=1).astype("<f4").tobytes()


def splat(scene: GaussianScene) -> bytes:
    """The format of antimatter15/splat: 32 bytes for each Gaussian, the largest and most opaque ones first.

    Three floats of the position and three of the standard deviations, and then, in a byte each, red, green, blue and
    opacity, and the quaternion.  Colours are those of the harmonics of degree 0.

    Raises:
        NotFiniteError: If a parameter is NaN or infinite.
    """
    found = _turned(scene)
    opacity = 1 / (1 + np.exp(-found.opacity_logits.astype(float)))
    order = np.argsort(-np.exp(found.log_scales.sum(axis=1, dtype=float)) * opacity[:, 0], kind="stable")
    rows = np.zeros(len(order), [("floats", "<f4", 6), ("colour", "u1", 4), ("turn", "u1", 4)])
    rows["floats"] = np.concatenate([found.means, np.exp(found.log_scales)], axis=1)
    colour = np.concatenate([0.5 + HARMONIC_0 * found.harmonics[:, 0], opacity], axis=1)
    rows["colour"] = (255 * colour).clip(0, 255)
    rows["turn"] = (128 * found.rotations + 128).clip(0, 255)
    return rows[order].tobytes()


#: Writers by the ending of the file.
GAUSSIAN_FILES: dict[str, Callable[[GaussianScene], bytes]] = {".ply": ply, ".splat": splat}


def _turned(scene: GaussianScene) -> GaussianArrays:
    """The parameters in the axes of the file, float32; quaternions of unit length, opacities ``(n 1)``."""
    for name, value in scene.named_parameters():
        if not value.isfinite().all():
            raise NotFiniteError(f"{name} of the scene are not finite, so there is nothing that a viewer could show")
    means, log_scales, rotations, opacity_logits, harmonics = (
        value.detach().cpu().double().numpy()
        for value in (scene.means, scene.log_scales, scene.rotations, scene.opacity_logits, scene.harmonics)
    )
    found = GaussianArrays(means, log_scales, rotations, opacity_logits[:, None], harmonics).turned(_TURN)
    return GaussianArrays(*(part.astype(np.float32) for part in found))

"""Gaussians as a file that viewers of 3D Gaussian Splatting open.

The axes are those of 3D Gaussian Splatting's own scenes: x to the right, y down, and z away from a camera that looks at
the object's front.  Viewers start with such a camera, or turn a file by 180° about x to have y up.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from methods.pixels import NotFiniteError
from methods.scenes.gaussians.gaussians import GaussianScene
from methods.scenes.gaussians.harmonics import HARMONIC_0, basis

#: From our axes (the front at +x, z up) to those of the file; a turn.
_TURN = np.array([[0, 1, 0], [0, 0, -1], [-1, 0, 0]], float)


class _Turned(NamedTuple):
    """The parameters of Gaussians in the axes of the file."""

    means: NDArray[np.float32]  # (n 3)
    log_scales: NDArray[np.float32]  # (n 3)
    rotations: NDArray[np.float32]  # (n 4), unit quaternions, real part first
    opacity_logits: NDArray[np.float32]  # (n 1)
    harmonics: NDArray[np.float32]  # (n k 3)


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


def _turned(scene: GaussianScene) -> _Turned:
    for name, value in scene.named_parameters():
        if not value.isfinite().all():
            raise NotFiniteError(f"{name} of the scene are not finite, so there is nothing that a viewer could show")
    means, log_scales, rotations, opacity_logits, harmonics = (
        value.detach().cpu().double().numpy()
        for value in (scene.means, scene.log_scales, scene.rotations, scene.opacity_logits, scene.harmonics)
    )
    turned = Rotation.from_matrix(_TURN) * Rotation.from_quat(rotations, scalar_first=True)
    parts = (
        means @ _TURN.T,
        log_scales,
        turned.as_quat(scalar_first=True),
        opacity_logits[:, None],
        np.einsum("kj,njc->nkc", _turn_of_harmonics(math.isqrt(harmonics.shape[1]) - 1), harmonics),
    )
    return _Turned(*(part.astype(np.float32) for part in parts))


def _turn_of_harmonics(degree: int) -> NDArray[np.float64]:
    """The matrix ``(k k)`` by which coefficients are multiplied to be those of the turned function on the sphere."""
    edge = torch.linspace(-1, 1, 4, dtype=torch.float64)
    directions = torch.nn.functional.normalize(torch.cartesian_prod(edge, edge, edge), dim=-1)
    before, after = (basis(each, degree).numpy() for each in (directions, directions @ torch.from_numpy(_TURN.T)))
    return np.linalg.lstsq(after, before, rcond=None)[0]

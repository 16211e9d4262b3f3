"""Gaussians in turned axes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation

from methods.scenes.gaussians.harmonics import basis

Array = NDArray[np.floating]


class GaussianArrays(NamedTuple):
    """The parameters of Gaussians outside of a scene."""

    means: Array  # (n 3)
    log_scales: Array  # (n 3), logarithms of standard deviations
    rotations: Array  # (n 4), quaternions, real part first
    opacity_logits: Array  # (n 1), before the sigmoid
    harmonics: Array  # (n k 3), coefficients of spherical harmonics

    def turned(self, turn: Array) -> GaussianArrays:
        """The same Gaussians in the axes that ``turn`` ``(3 3)`` leads to, a rotation of column vectors."""
        rotations = Rotation.from_matrix(turn) * Rotation.from_quat(self.rotations, scalar_first=True)
        degree = math.isqrt(self.harmonics.shape[1]) - 1
        return GaussianArrays(
            self.means @ turn.T,
            self.log_scales,
            rotations.as_quat(scalar_first=True),
            self.opacity_logits,
            np.einsum("kj,njc->nkc", _turn_of_harmonics(turn, degree), self.harmonics),
        )


def _turn_of_harmonics(turn: Array, degree: int) -> Array:
    """The matrix ``(k k)`` by which coefficients are multiplied to be those of the turned function on the sphere."""
    edge = torch.linspace(-1, 1, 4, dtype=torch.float64)
    directions = torch.nn.functional.normalize(torch.cartesian_prod(edge, edge, edge), dim=-1)
    turned = directions @ torch.from_numpy(np.asarray(turn, float)).T
    before, after = (basis(each, degree).numpy() for each in (directions, turned))
    return np.linalg.lstsq(after, before, rcond=None)[0]

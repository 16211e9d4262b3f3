"""Colours that depend on the direction they are seen from, by real spherical harmonics."""

from __future__ import annotations

import math

import torch
from torch import Tensor

#: The spherical harmonic of degree 0, by which a coefficient is multiplied to be a colour minus 0.5.
HARMONIC_0 = 0.28209479177387814

#: The highest degree (3D Gaussian Splatting's).
MOST_DEGREE = 3

#: Share of the colours' step size that coefficients of degree 1 and more get (3D Gaussian Splatting: 1/20).
HIGHER_RATE = 1 / 20


def coefficients(degree: int) -> int:
    """The number of coefficients of a colour channel."""
    return (degree + 1) ** 2


def basis(directions: Tensor, degree: int) -> Tensor:
    """The real spherical harmonics ``(… (degree + 1)²)`` of unit vectors ``(… 3)``, orthonormal over the sphere.

    Their order and signs are those of 3D Gaussian Splatting, gsplat and the files that viewers read: by degree and
    then by order from -degree to degree, with the Condon-Shortley phase.
    """
    x, y, z = directions.unbind(-1)
    one = 1 / math.sqrt(math.pi)
    values = [torch.full_like(x, HARMONIC_0)]
    if degree >= 1:
        scale = one * math.sqrt(3) / 2
        values += [-scale * y, scale * z, -scale * x]
    if degree >= 2:
        scale = one * math.sqrt(15) / 2
        values += [
            scale * x * y, -scale * y * z, one * math.sqrt(5) / 4 * (3 * z**2 - 1),
            -scale * x * z, scale / 2 * (x**2 - y**2),
        ]  # fmt: skip
    if degree >= 3:
        edge, middle, inner = (one * math.sqrt(factor) for factor in (35 / 32, 105 / 4, 21 / 32))
        values += [
            -edge * y * (3 * x**2 - y**2), middle * x * y * z, -inner * y * (5 * z**2 - 1),
            one * math.sqrt(7) / 4 * z * (5 * z**2 - 3),
            -inner * x * (5 * z**2 - 1), middle / 2 * z * (x**2 - y**2), -edge * x * (x**2 - 3 * y**2),
        ]  # fmt: skip
    return torch.stack(values, dim=-1)


def colours(harmonics: Tensor, from_camera: Tensor) -> Tensor:
    """Colours ``(b n 3)``, at least 0: 0.5 and the sum of the harmonics in the direction of the light's way back.

    Args:
        harmonics: Coefficients ``(n (degree + 1)² 3)``.
        from_camera: ``(b n 3)``, from each of ``b`` cameras to each Gaussian, of any length.
    """
    degree = math.isqrt(harmonics.shape[1]) - 1
    if degree == 0:
        return (0.5 + HARMONIC_0 * harmonics[:, 0]).clamp(min=0).expand(len(from_camera), -1, -1)
    values = basis(torch.nn.functional.normalize(from_camera, dim=-1), degree)
    return (0.5 + torch.einsum("bnk,nkc->bnc", values, harmonics)).clamp(min=0)

"""Quaternions to rotations."""

from __future__ import annotations

import torch
from torch import Tensor


def rotation_matrix(quaternions: Tensor) -> Tensor:
    """Rotations ``(n 3 3)`` of quaternions ``(n 4)``, real part first, of any length but 0."""
    w, x, y, z = torch.nn.functional.normalize(quaternions, dim=-1).unbind(-1)
    rows = [
        1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y),
        2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x),
        2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y),
    ]  # fmt: skip
    return torch.stack(rows, dim=-1).unflatten(-1, (3, 3))

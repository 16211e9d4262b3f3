"""From colours to the bytes of an image, the one place where a number that no image can show would be lost."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

#: Colour of pixels that have none: magenta, which neither an empty scene nor a background has.
MARK = (1.0, 0.0, 1.0)


class NotFiniteError(ValueError):
    """Values to be written that are NaN or infinite; the message is one line."""


def to_bytes(values: Tensor) -> np.ndarray:
    """Values in [0, 1] of any shape as uint8 0…255, rounded; those outside are clamped.

    Raises:
        NotFiniteError: If a value is NaN or infinite, which would become a black or white pixel.
    """
    if not bool(values.isfinite().all()):
        count = int((~values.isfinite()).sum())
        raise NotFiniteError(f"{count} of {values.numel()} values of its images are not finite (NaN or infinite)")
    pixels: np.ndarray = (values.clamp(0.0, 1.0) * 255.0).round().to("cpu", torch.uint8).numpy()
    return pixels


def clamp_finite(values: Tensor, low: float = 0.0, high: float = 1.0) -> Tensor:
    """Values of any shape clamped to [low, high], with NaN in place of infinite ones, which a clamp would hide.

    Finite values and their gradients are those of ``torch.clamp`` to the bit.
    """
    return torch.where(values.isinf(), torch.nan, values.clamp(low, high))


def mark_not_finite(rgb: Tensor) -> Tensor:
    """Colours ``(b 3 h w)`` with ``MARK`` in place of pixels that have a value that is NaN or infinite."""
    finite = rgb.isfinite().all(dim=1, keepdim=True)
    return torch.where(finite, rgb, rgb.new_tensor(MARK)[:, None, None])

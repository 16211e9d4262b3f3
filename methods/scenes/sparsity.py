"""A penalty on faint haze that scenes of every kind may have."""

from __future__ import annotations

from torch import Tensor


def sparsity(opacity: Tensor) -> Tensor:
    """``mean √(o² + 0.01)``: pulls faint haze to nothing, and solid things hardly at all (threestudio)."""
    return (opacity**2 + 0.01).sqrt().mean()

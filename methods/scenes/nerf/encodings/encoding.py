"""What an encoding of space promises the field."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

from torch import Tensor, nn


class Encoding(Protocol):
    """Learned features of a point.  Implementations are ``torch.nn.Module``s registered in ``encodings``."""

    features: int  # width of the output
    twice_differentiable: bool  # whether its slope in space has a gradient, which analytic normals need

    def __call__(self, points: Tensor) -> Tensor:
        """Points ``(n 3)`` of the unit cube to features ``(n features)``; points outside read the nearest face."""
        ...

    def parameters(self) -> Iterator[nn.Parameter]:
        """What is learned."""
        ...
